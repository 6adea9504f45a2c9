SELECT tenant, owner, purpose, n, id, kek, wrapped, state, switched, created_at, active_from, destroy_at, pending_until, compromised_at, destroyed_at, wrapped_revision, revision FROM root
WHERE tenant = $1 AND owner = $2
ORDER BY id
