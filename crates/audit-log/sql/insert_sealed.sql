INSERT INTO audit_sealed (log, event, path, ct)
VALUES ($1, $2, $3, $4)
