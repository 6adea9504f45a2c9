SELECT id, created_at, deleted_at,
    COALESCE((SELECT LENGTH(c.body) + COALESCE(LENGTH(c.sensitive), 0)
        FROM content c WHERE c.tenant = $1 AND c.record = record.id), 0)
    + COALESCE((SELECT SUM(a.stored_len)
        FROM attachment a WHERE a.tenant = $1 AND a.record = record.id), 0) AS stored
FROM record
WHERE tenant = $1 AND deleted_at IS NOT NULL AND (deleted_at > $3 OR deleted_at = $3 AND id > $4)
AND NOT EXISTS (SELECT 1 FROM disposal d WHERE d.tenant = $1 AND d.record = record.id)
ORDER BY deleted_at, id
LIMIT $2
