INSERT INTO root (tenant, owner, purpose, n, id, kek, wrapped, state, switched, created_at, active_from, destroy_at, pending_until, compromised_at, destroyed_at, wrapped_revision, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT DO NOTHING
