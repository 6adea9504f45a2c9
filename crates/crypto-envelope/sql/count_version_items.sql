SELECT version, COUNT(DISTINCT item) AS items FROM token
WHERE tenant = $1 AND field = $2
GROUP BY version
ORDER BY version
