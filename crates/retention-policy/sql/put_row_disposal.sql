INSERT INTO row_disposal (tenant, order_id, class, item, journal)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, order_id, class, item) DO UPDATE SET journal = excluded.journal
