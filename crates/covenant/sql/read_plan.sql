SELECT tenant, kind, cause, plan, approved, items_max, bytes_max, percent_max FROM covenant_plan
WHERE tenant = $1 AND kind = $2
