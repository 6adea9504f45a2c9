DELETE FROM content WHERE tenant = $1 AND record = $2
