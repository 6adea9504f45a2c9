SELECT MIN(destroy_at) AS due_at FROM kek WHERE state IN ('intended', 'enabled')
