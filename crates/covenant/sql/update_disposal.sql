UPDATE disposal SET journal = $3 WHERE tenant = $1 AND record = $2
