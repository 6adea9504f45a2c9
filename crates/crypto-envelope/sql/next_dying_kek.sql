SELECT MIN(destroyed_at) AS due_at FROM kek WHERE state = 'dying'
