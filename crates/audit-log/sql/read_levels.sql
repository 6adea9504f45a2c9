SELECT idx, hash
FROM audit_level
WHERE log = $1 AND height = $2 AND idx >= $3 AND idx < $4
ORDER BY idx
