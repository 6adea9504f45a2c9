INSERT INTO tenant_member (tenant, member, role) VALUES ($1, $2, $3)
ON CONFLICT (tenant, member) DO UPDATE SET role = excluded.role
