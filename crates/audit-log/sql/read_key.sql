SELECT origin, vkey, seed
FROM audit_key
WHERE log = $1
