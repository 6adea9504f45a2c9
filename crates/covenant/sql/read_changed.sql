SELECT changed_at FROM record WHERE tenant = $1 AND id = $2 AND deleted_at IS NULL
