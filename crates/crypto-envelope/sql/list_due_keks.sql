SELECT id, key_group, state, wraps, created_at, destroy_at, destroyed_at FROM kek
WHERE state = 'dying' OR (state IN ('intended', 'enabled') AND destroy_at <= $1)
ORDER BY id
