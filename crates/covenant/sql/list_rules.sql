SELECT tenant, rules, revision FROM covenant_rules ORDER BY tenant
