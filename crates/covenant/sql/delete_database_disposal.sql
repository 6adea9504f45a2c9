DELETE FROM covenant_disposal WHERE tenant = $1
