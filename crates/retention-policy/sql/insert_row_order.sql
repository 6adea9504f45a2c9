INSERT INTO row_order (tenant, id, plan, commit_key, admitted_at)
VALUES ($1, $2, $3, $4, $5)
