SELECT count(*) AS n FROM access_decision WHERE tenant = $1
