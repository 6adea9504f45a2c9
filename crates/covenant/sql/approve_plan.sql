UPDATE covenant_plan SET approved = 1, items_max = $4, bytes_max = $5, percent_max = $6
WHERE tenant = $1 AND kind = $2 AND plan = $3
