UPDATE kek SET state = 'enabled' WHERE id = $1 AND state = 'intended'
