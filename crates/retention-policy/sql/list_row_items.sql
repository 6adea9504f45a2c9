SELECT store, class, id, bytes, made_at FROM retention_item
WHERE tenant = $1
ORDER BY store, class, id
LIMIT $2
