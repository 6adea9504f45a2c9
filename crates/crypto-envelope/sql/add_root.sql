INSERT INTO root (tenant, owner, purpose, id, kek, wrapped, state, created_at, destroy_at, destroyed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
