SELECT tenant, kind, key, due_at
FROM due
WHERE kind = $1 AND due_at <= $2
ORDER BY due_at, tenant, key
