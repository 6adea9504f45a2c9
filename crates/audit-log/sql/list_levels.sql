SELECT height, idx, hash
FROM audit_level
WHERE log = $1
ORDER BY height, idx
