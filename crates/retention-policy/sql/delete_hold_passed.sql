DELETE FROM hold_passed
WHERE tenant = $1 AND class = $2 AND item = $3
