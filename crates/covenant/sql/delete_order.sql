DELETE FROM disposal_order WHERE tenant = $1 AND id = $2
