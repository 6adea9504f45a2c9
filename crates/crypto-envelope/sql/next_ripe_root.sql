SELECT MIN(active_from) AS due_at FROM root
WHERE state = 'pending' AND switched = 'on' AND compromised_at IS NULL
