SELECT t.region, t.state, t.epoch, t.store, t.generation, t.created_at, m.role
FROM tenant t
LEFT JOIN tenant_member m ON m.tenant = t.id AND m.member = $2
WHERE t.id = $1
