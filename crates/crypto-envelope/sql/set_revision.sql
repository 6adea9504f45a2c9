UPDATE store SET revision = $1 WHERE id = 1
