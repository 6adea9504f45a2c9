INSERT INTO hold_generation (tenant, generation)
VALUES ($1, 0)
ON CONFLICT (tenant) DO NOTHING
