DELETE FROM key_copy WHERE id = $1
