SELECT body, asked_by, asked_at, released_at
FROM hold
WHERE tenant = $1
ORDER BY id
