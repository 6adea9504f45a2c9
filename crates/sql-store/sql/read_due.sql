SELECT tenant, kind, key, due_at
FROM due
WHERE due_at <= $1
ORDER BY due_at, kind, tenant, key
LIMIT $2
