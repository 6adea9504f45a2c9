UPDATE root SET state = 'destroyed', wrapped = $4, destroyed_at = $3
WHERE tenant = $1 AND owner = $2 AND state = 'active'
