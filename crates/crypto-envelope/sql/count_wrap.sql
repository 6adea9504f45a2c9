UPDATE kek SET wraps = wraps + 1
WHERE id = $1 AND state = 'enabled' AND wraps < $2
