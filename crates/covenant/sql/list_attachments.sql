SELECT id, stored_len, probe FROM attachment WHERE tenant = $1 AND record = $2 ORDER BY id
