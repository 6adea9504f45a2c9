INSERT INTO covenant_keys (id, revision) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET revision = excluded.revision
