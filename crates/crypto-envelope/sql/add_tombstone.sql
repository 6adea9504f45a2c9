INSERT INTO tombstone (id, destroyed_at, flushed)
VALUES ($1, $2, 0)
ON CONFLICT DO NOTHING
