SELECT leaf_hash, leaf
FROM audit_entry
WHERE log = $1 AND event = $2
