SELECT MIN(CASE
    WHEN pending_until < destroy_at OR destroy_at IS NULL THEN pending_until ELSE destroy_at
END) AS due_at FROM kek
WHERE state IN ('intended', 'enabled')
