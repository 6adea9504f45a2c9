INSERT INTO disposal (tenant, record, ordered, journal, objects) VALUES ($1, $2, $3, $4, $5)
