INSERT INTO erasure (tenant, subject, erasure_order, destroyed_at, complete_by)
VALUES ($1, $2, $3, $4, $5)
