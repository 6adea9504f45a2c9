SELECT tenant, subject, erasure_order, destroyed_at, complete_by, revision FROM erasure WHERE revision > $1 ORDER BY erasure_order
