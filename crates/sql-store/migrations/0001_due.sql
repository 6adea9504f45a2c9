CREATE TABLE due (
    tenant UUID NOT NULL,
    kind TEXT NOT NULL,
    key BYTEA NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, key)
);
CREATE INDEX due_order ON due (due_at, kind, tenant, key);
