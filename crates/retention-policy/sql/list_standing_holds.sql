SELECT body, asked_by, asked_at, released_at
FROM hold
WHERE tenant = $1 AND released_at IS NULL
ORDER BY id
