INSERT INTO token (tenant, field, item, token, version, sole)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, field, token, item) DO NOTHING
