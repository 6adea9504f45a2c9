SELECT tenant, owner, purpose, id, kek, wrapped, state, created_at, destroy_at, destroyed_at FROM root
WHERE tenant = $1 AND owner = $2
ORDER BY id
