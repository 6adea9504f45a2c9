SELECT generation
FROM hold_generation
WHERE tenant = $1
FOR UPDATE
