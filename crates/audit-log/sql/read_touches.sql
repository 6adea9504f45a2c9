SELECT seq, txn, tbl, op, row_key
FROM audit_touch
ORDER BY seq
