SELECT id, body FROM key_event ORDER BY id LIMIT $1
