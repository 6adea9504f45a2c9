SELECT tenant, owner, purpose, id, kek, wrapped, state, created_at, destroy_at, destroyed_at FROM root
WHERE kek = $1 AND destroyed_at = $2
ORDER BY id
