UPDATE root SET state = $3, switched = $4, active_from = $5, destroy_at = $6, pending_until = $7,
    compromised_at = $8, revision = $9
WHERE id = $1 AND revision = $2 AND state <> 'destroyed'
