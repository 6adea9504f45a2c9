SELECT rule, clause, rules FROM disposal_order WHERE tenant = $1 AND id = $2
