SELECT 1 AS one FROM token WHERE tenant = $1 AND version = $2 LIMIT 1
