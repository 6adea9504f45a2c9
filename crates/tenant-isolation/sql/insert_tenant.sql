INSERT INTO tenant (id, region, state, epoch, store, generation, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
