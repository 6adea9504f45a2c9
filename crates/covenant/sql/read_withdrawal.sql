SELECT version FROM withdrawal WHERE tenant = $1 AND file = $2
