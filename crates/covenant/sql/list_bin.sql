SELECT id, created_at, deleted_at
FROM record
WHERE tenant = $1 AND deleted_at IS NOT NULL AND (deleted_at > $3 OR deleted_at = $3 AND id > $4)
ORDER BY deleted_at, id
LIMIT $2
