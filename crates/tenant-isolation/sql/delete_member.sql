DELETE FROM tenant_member WHERE tenant = $1 AND member = $2
