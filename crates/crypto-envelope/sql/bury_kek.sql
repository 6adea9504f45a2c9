UPDATE kek SET state = 'dying', destroyed_at = $2, revision = $3
WHERE id = $1 AND state IN ('intended', 'enabled')
