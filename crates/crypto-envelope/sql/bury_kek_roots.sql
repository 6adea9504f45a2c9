UPDATE root SET state = 'destroyed', wrapped = $3, destroyed_at = $2
WHERE kek = $1 AND state = 'active'
