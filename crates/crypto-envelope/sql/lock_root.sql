UPDATE root SET state = state WHERE tenant = $1 AND owner = $2 AND purpose = $3
