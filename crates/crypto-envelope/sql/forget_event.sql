DELETE FROM key_event WHERE id = $1
