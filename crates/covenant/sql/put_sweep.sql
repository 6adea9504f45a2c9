INSERT INTO covenant_sweep (tenant, kind, rules) VALUES ($1, $2, $3)
ON CONFLICT (tenant, kind) DO UPDATE SET rules = excluded.rules
