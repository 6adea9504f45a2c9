INSERT INTO audit_head (log, size, root, edge)
VALUES ($1, $2, $3, $4)
ON CONFLICT (log) DO NOTHING
