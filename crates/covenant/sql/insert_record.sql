INSERT INTO record (tenant, id, created_at, changed_at) VALUES ($1, $2, $3, $3)
