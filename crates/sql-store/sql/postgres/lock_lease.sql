SELECT holder, fence, life, expires_at, length
FROM lease
WHERE name = $1
FOR UPDATE SKIP LOCKED
