UPDATE content SET body = $3 WHERE tenant = $1 AND record = $2
