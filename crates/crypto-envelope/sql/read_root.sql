SELECT tenant, owner, purpose, id, kek, wrapped, state, created_at, destroy_at, destroyed_at FROM root WHERE id = $1
