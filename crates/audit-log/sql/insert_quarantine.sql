INSERT INTO audit_quarantine
    (log, event, leaf_hash, reason, recorded_at, txn, leaf, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (log, event, leaf_hash) DO NOTHING
