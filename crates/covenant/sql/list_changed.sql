SELECT id, created_at, changed_at, changed_at AS since,
    COALESCE((SELECT LENGTH(c.body) + COALESCE(LENGTH(c.sensitive), 0)
        FROM content c WHERE c.tenant = $1 AND c.record = record.id), 0)
    + COALESCE((SELECT SUM(a.stored_len)
        FROM attachment a WHERE a.tenant = $1 AND a.record = record.id), 0) AS stored
FROM record
WHERE tenant = $1 AND deleted_at IS NULL AND changed_at <= $3
AND changed_at >= $4 AND (changed_at > $4 OR id > $5)
ORDER BY changed_at, id
LIMIT $2
