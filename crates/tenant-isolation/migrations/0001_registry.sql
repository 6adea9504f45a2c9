CREATE TABLE tenant (
    id UUID NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    state TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    store UUID NOT NULL UNIQUE,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE tenant_member (
    tenant UUID NOT NULL REFERENCES tenant (id),
    member UUID NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, member)
);

CREATE TABLE access_decision (
    tenant UUID NOT NULL,
    id UUID NOT NULL,
    decided_at BIGINT NOT NULL,
    effect TEXT NOT NULL,
    rule TEXT NOT NULL,
    also TEXT NOT NULL,
    principal TEXT NOT NULL,
    principal_id UUID,
    action TEXT NOT NULL,
    level TEXT,
    PRIMARY KEY (tenant, id)
);
