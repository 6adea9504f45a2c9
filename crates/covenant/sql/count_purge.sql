SELECT COUNT(*) AS n FROM purge WHERE tenant = $1
