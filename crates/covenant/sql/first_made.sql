SELECT MIN(created_at) AS first FROM record WHERE tenant = $1 AND deleted_at IS NULL
