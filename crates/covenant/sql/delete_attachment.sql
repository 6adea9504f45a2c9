DELETE FROM attachment WHERE tenant = $1 AND id = $2
