INSERT INTO covenant_disposal (tenant, generation, journal) VALUES ($1, $2, $3)
ON CONFLICT (tenant) DO UPDATE SET generation = excluded.generation, journal = excluded.journal
