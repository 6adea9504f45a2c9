INSERT INTO access_decision
    (tenant, id, decided_at, effect, rule, also, principal, principal_id, action, level)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
