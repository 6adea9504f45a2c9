SELECT count(*) AS n FROM tenant_member WHERE tenant = $1 AND role = $2
