SELECT idx, leaf_hash AS hash
FROM audit_entry
WHERE log = $1 AND idx >= $2 AND idx < $3
ORDER BY idx
