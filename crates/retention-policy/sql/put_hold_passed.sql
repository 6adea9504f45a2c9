INSERT INTO hold_passed (tenant, class, item, store, made_at, subjects)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, class, item, store) DO NOTHING
