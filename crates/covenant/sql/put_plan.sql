INSERT INTO covenant_plan (tenant, kind, cause, plan, approved) VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (tenant, kind) DO UPDATE
SET cause = excluded.cause, plan = excluded.plan, approved = 0,
    items_max = NULL, bytes_max = NULL, percent_max = NULL
