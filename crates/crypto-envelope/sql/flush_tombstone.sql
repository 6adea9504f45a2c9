UPDATE tombstone SET flushed = 1 WHERE id = $1
