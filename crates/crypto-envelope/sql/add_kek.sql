INSERT INTO kek (id, key_group, n, state, switched, wraps, created_at, expires_at, destroy_at, pending_until, compromised_at, destroyed_at, gone_at, canary, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING
