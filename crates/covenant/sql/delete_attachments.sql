DELETE FROM attachment WHERE tenant = $1 AND record = $2
