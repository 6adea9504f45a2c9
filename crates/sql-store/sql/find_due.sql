SELECT tenant, kind, key, due_at
FROM due
WHERE tenant = $1 AND kind = $2
ORDER BY due_at, key
