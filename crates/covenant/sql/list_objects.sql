SELECT id FROM attachment WHERE tenant = $1 ORDER BY id
