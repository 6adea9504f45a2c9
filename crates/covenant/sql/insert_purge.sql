INSERT INTO purge (tenant, record, probes, objects) VALUES ($1, $2, $3, $4)
