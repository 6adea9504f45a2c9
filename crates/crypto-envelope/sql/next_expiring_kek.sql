SELECT MIN(expires_at) AS due_at FROM kek WHERE state = 'enabled' AND switched = 'on'
