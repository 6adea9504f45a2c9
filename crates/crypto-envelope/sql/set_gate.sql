UPDATE store SET gate = $1 WHERE id = 1
