SELECT record, journal, objects FROM disposal WHERE tenant = $1 ORDER BY record
