SELECT id, key_group, n, state, switched, wraps, created_at, expires_at, destroy_at, pending_until, compromised_at, destroyed_at, gone_at, canary, revision FROM kek ORDER BY id
