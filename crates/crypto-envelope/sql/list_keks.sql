SELECT id, key_group, state, wraps, created_at, destroy_at, destroyed_at FROM kek ORDER BY id
