DELETE FROM purge WHERE tenant = $1
