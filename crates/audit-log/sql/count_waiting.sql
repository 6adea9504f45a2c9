SELECT count(*) AS n
FROM outbox
WHERE log = $1
