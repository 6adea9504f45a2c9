UPDATE record SET deleted_at = NULL
WHERE tenant = $1 AND id = $2 AND deleted_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM disposal d WHERE d.tenant = $1 AND d.record = $2)
