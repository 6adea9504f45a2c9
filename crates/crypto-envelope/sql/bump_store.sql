UPDATE store SET revision = revision + 1,
    latest_at = CASE WHEN latest_at > $1 THEN latest_at ELSE $1 END
WHERE id = 1
RETURNING revision
