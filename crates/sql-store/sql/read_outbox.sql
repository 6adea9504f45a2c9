SELECT event, log, kind, recorded_at, txn, leaf, sealed
FROM outbox
ORDER BY recorded_at, event
LIMIT $1
