SELECT MIN(deleted_at) AS first FROM record WHERE tenant = $1
