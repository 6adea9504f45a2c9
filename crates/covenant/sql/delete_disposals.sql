DELETE FROM disposal WHERE tenant = $1 AND ordered = $2
