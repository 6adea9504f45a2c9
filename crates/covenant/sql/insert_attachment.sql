INSERT INTO attachment (tenant, id, record, stored_len, probe) VALUES ($1, $2, $3, $4, $5)
