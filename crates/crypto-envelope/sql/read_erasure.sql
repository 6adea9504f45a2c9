SELECT tenant, subject, erasure_order, destroyed_at, complete_by, revision FROM erasure
WHERE erasure_order = $1
