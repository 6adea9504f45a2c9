INSERT INTO tombstone (id, destroyed_at, flushed)
SELECT id, $3, 0 FROM root WHERE tenant = $1 AND owner = $2 AND state = 'active'
ON CONFLICT DO NOTHING
