INSERT INTO content (tenant, record, body, sensitive) VALUES ($1, $2, $3, $4)
