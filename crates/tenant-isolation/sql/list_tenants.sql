SELECT id, region, state, epoch, store, generation, created_at FROM tenant ORDER BY id
