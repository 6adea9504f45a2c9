UPDATE store SET gate = gate WHERE id = 1
