SELECT COUNT(*) AS n FROM disposal WHERE tenant = $1
