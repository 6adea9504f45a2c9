SELECT tenant, kind, cause, plan, approved, items_max, bytes_max, percent_max FROM covenant_plan
ORDER BY tenant, kind
