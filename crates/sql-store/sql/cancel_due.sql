DELETE FROM due
WHERE tenant = $1 AND kind = $2 AND key = $3
