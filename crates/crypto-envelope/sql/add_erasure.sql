INSERT INTO erasure (tenant, subject, erasure_order, destroyed_at, complete_by, revision)
VALUES ($1, $2, $3, $4, $5, $6)
