SELECT leaf
FROM outbox
WHERE event = $1 AND log = $2
