SELECT tenant, owner, purpose, n, id, kek, wrapped, state, switched, created_at, active_from, destroy_at, pending_until, compromised_at, destroyed_at, wrapped_revision, revision FROM root
WHERE state <> 'destroyed' AND (destroy_at <= $1 OR pending_until <= $1)
ORDER BY id
