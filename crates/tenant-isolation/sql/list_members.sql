SELECT member, role FROM tenant_member WHERE tenant = $1 ORDER BY member
