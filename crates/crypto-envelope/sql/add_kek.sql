INSERT INTO kek (id, key_group, state, wraps, created_at, destroy_at, destroyed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
