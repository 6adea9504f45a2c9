SELECT tenant, owner, purpose, id, kek, wrapped, state, created_at, destroy_at, destroyed_at FROM root
WHERE state = 'active' AND destroy_at <= $1
ORDER BY id
