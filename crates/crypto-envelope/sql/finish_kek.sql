UPDATE kek SET state = 'destroyed', gone_at = $2, revision = $3 WHERE id = $1 AND state = 'dying'
