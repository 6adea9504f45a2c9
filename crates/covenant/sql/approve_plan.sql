UPDATE covenant_plan SET approved = 1, items_max = $3, bytes_max = $4, percent_max = $5
WHERE tenant = $1 AND plan = $2
