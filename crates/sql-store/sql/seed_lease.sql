INSERT INTO lease (name, holder, fence, life, expires_at, length)
VALUES ($1, NULL, 0, $2, 0, 0)
ON CONFLICT (name) DO NOTHING
