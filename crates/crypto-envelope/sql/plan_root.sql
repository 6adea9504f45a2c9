UPDATE root SET destroy_at = $2 WHERE id = $1 AND state = 'active'
