DELETE FROM covenant_plan WHERE tenant = $1 AND kind = $2
