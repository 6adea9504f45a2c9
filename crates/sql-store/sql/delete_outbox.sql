DELETE FROM outbox WHERE event = $1
