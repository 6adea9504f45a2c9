SELECT MIN(pending_until) AS due_at FROM root WHERE state <> 'destroyed'
