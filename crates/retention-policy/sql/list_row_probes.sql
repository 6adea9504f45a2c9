SELECT class, id, probe FROM retention_probe
WHERE tenant = $1
LIMIT $2
