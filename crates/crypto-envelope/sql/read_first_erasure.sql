SELECT tenant, subject, erasure_order, destroyed_at, complete_by, revision FROM erasure
WHERE tenant = $1 AND subject = $2
ORDER BY destroyed_at, erasure_order
LIMIT 1
