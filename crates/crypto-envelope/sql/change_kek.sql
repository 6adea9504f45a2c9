UPDATE kek SET switched = $3, expires_at = $4, destroy_at = $5, pending_until = $6,
    compromised_at = $7, revision = $8
WHERE id = $1 AND revision = $2 AND state IN ('intended', 'enabled')
