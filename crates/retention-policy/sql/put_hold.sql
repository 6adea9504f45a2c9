INSERT INTO hold (tenant, id, body, asked_by, asked_at, released_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, id) DO UPDATE
SET body = excluded.body, asked_by = excluded.asked_by, asked_at = excluded.asked_at,
    released_at = excluded.released_at
