UPDATE kek SET state = 'enabled', canary = $2, revision = $3 WHERE id = $1 AND state = 'intended'
