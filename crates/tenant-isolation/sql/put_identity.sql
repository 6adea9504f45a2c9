INSERT INTO covenant_identity (id, record) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET record = excluded.record
