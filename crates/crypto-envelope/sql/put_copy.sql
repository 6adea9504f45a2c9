INSERT INTO key_copy (id, site, revision, taken_at, ends_at, lag_secs, removed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET site = $2, revision = $3, taken_at = $4, ends_at = $5, lag_secs = $6,
    removed_at = $7
