SELECT id, key_group, n, state, switched, wraps, created_at, expires_at, destroy_at, pending_until, compromised_at, destroyed_at, gone_at, canary, revision FROM kek
WHERE state = 'dying'
    OR (state IN ('intended', 'enabled') AND (destroy_at <= $1 OR pending_until <= $1))
ORDER BY id
