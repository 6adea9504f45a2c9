SELECT idx, event, leaf_hash, leaf, at, recorded_at, txn, action, outcome, kind, tbl, item
FROM audit_entry
WHERE log = $1 AND idx >= $2 AND idx < $3
ORDER BY idx
