UPDATE record SET deleted_at = NULL WHERE tenant = $1 AND id = $2 AND deleted_at IS NOT NULL
