INSERT INTO covenant_clock (id, accepted) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET accepted = excluded.accepted
