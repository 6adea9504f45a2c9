INSERT INTO outbox (event, log, kind, recorded_at, txn, leaf, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7)
