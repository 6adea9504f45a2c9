INSERT INTO withdrawal (tenant, file, deleted_at, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, file) DO NOTHING
