INSERT INTO audit_key (log, origin, vkey, seed)
VALUES ($1, $2, $3, $4)
ON CONFLICT (log) DO NOTHING
