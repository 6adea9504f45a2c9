SELECT tenant, owner, purpose, n, id, kek, wrapped, state, switched, created_at, active_from, destroy_at, pending_until, compromised_at, destroyed_at, wrapped_revision, revision FROM root
WHERE state = 'pending' AND switched = 'on' AND compromised_at IS NULL AND active_from <= $1
ORDER BY id
