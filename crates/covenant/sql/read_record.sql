SELECT r.id, r.deleted_at, c.body, c.sensitive FROM record r JOIN content c ON c.tenant = r.tenant AND c.record = r.id WHERE r.tenant = $1 AND r.id = $2
