SELECT a.record, a.stored_len, r.created_at
FROM attachment a JOIN record r ON r.tenant = a.tenant AND r.id = a.record
WHERE a.tenant = $1 AND a.id = $2 AND r.deleted_at IS NULL
