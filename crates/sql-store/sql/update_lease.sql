UPDATE lease
SET holder = $2, fence = $3, life = $4, expires_at = $5, length = $6
WHERE name = $1
