SELECT tenant, owner, purpose, n, id, kek, wrapped, state, switched, created_at, active_from, destroy_at, pending_until, compromised_at, destroyed_at, wrapped_revision, revision FROM root
WHERE kek = $1 AND state <> 'destroyed'
ORDER BY id
LIMIT $2
