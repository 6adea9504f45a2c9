INSERT INTO tombstone (id, destroyed_at, flushed)
SELECT id, $2, 0 FROM root WHERE kek = $1 AND state = 'active'
ON CONFLICT DO NOTHING
