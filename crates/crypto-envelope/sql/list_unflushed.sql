SELECT id FROM tombstone WHERE flushed = 0 ORDER BY id
