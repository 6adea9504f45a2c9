SELECT class, id, name, happened_at FROM retention_event
WHERE tenant = $1
ORDER BY class, id, happened_at, name
LIMIT $2
