UPDATE audit_head
SET size = $3, root = $4, edge = $5
WHERE log = $1 AND size = $2
