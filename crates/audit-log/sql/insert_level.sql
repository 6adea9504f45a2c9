INSERT INTO audit_level (log, height, idx, hash)
VALUES ($1, $2, $3, $4)
