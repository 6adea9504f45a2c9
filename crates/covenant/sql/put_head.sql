INSERT INTO covenant_head (tenant, size, root) VALUES ($1, $2, $3)
ON CONFLICT (tenant) DO UPDATE SET size = excluded.size, root = excluded.root
WHERE excluded.size > covenant_head.size
