SELECT id, site, revision, taken_at, ends_at, lag_secs, removed_at FROM key_copy ORDER BY id
