INSERT INTO audit_entry
    (log, idx, event, leaf_hash, leaf, at, recorded_at, txn, action, outcome, kind, tbl, item)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
