DELETE FROM token WHERE tenant = $1 AND field = $2 AND item = $3
