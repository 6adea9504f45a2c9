SELECT DISTINCT item FROM token WHERE tenant = $1 AND field = $2 AND token IN ($3, $4) ORDER BY item
