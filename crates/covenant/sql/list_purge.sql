SELECT record, probes, objects FROM purge WHERE tenant = $1 ORDER BY record
