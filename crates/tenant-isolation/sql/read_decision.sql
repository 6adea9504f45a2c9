SELECT effect, rule, also FROM access_decision WHERE tenant = $1 AND id = $2
