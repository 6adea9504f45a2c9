SELECT bytes, made_at FROM retention_item
WHERE tenant = $1 AND store = $2 AND class = $3 AND id = $4
