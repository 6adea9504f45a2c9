INSERT INTO due (tenant, kind, key, due_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, kind, key) DO UPDATE SET due_at = excluded.due_at
