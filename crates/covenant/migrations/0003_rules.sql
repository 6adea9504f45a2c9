-- The rules that tenants set for themselves, as a rule file in JSON; no content. The revision grows
-- with every change of any of them.
CREATE TABLE covenant_rules (
    tenant UUID PRIMARY KEY,
    rules TEXT NOT NULL,
    revision BIGINT NOT NULL
);
