SELECT id, deleted_at FROM record WHERE tenant = $1 AND deleted_at IS NOT NULL ORDER BY deleted_at, id LIMIT $2
