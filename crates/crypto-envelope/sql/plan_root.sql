UPDATE root SET destroy_at = $2, revision = $3 WHERE id = $1 AND state <> 'destroyed'
