UPDATE kek SET state = 'destroyed' WHERE id = $1 AND state = 'dying'
