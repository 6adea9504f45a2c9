INSERT INTO disposal_order (tenant, id, rule, clause, rules) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
