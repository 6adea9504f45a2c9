SELECT MIN(destroy_at) AS due_at FROM root WHERE state <> 'destroyed'
