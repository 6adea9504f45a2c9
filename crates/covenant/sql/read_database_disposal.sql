SELECT journal FROM covenant_disposal WHERE tenant = $1 AND generation = $2
