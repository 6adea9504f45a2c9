DELETE FROM covenant_plan WHERE tenant = $1
