SELECT ct
FROM audit_sealed
WHERE log = $1 AND event = $2 AND path = $3
