SELECT id FROM record WHERE tenant = $1 AND deleted_at IS NULL ORDER BY id
