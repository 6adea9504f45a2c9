SELECT tenant, subject, erasure_order, destroyed_at, complete_by FROM erasure
WHERE erasure_order = $1
