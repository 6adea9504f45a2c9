INSERT INTO covenant_rules (tenant, rules, revision) VALUES ($1, $2, $3)
ON CONFLICT (tenant) DO UPDATE SET rules = excluded.rules, revision = excluded.revision
