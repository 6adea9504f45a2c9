UPDATE root SET state = 'destroyed', wrapped = $3, destroyed_at = $2, revision = $4
WHERE kek = $1 AND state <> 'destroyed'
