SELECT COUNT(*) AS n FROM record WHERE tenant = $1
