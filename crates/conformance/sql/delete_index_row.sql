DELETE FROM record WHERE tenant = $1 AND id = $2
