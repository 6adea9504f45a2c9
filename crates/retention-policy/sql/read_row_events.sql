SELECT name, happened_at FROM retention_event
WHERE tenant = $1 AND class = $2 AND id = $3
ORDER BY happened_at, name
