UPDATE record SET changed_at = $3 WHERE tenant = $1 AND id = $2 AND deleted_at = $4
