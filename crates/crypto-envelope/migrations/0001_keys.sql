CREATE TABLE kek (
    id UUID NOT NULL PRIMARY KEY,
    key_group TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    wraps BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    destroy_at BIGINT,
    destroyed_at BIGINT
);
CREATE TABLE root (
    tenant UUID NOT NULL,
    owner BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    id UUID NOT NULL UNIQUE,
    kek UUID NOT NULL,
    wrapped BYTEA NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    destroy_at BIGINT,
    destroyed_at BIGINT,
    PRIMARY KEY (tenant, owner, purpose)
);
CREATE INDEX root_by_kek ON root (kek);
CREATE INDEX root_by_day ON root (destroy_at);
CREATE TABLE tombstone (
    id UUID NOT NULL PRIMARY KEY,
    destroyed_at BIGINT NOT NULL,
    flushed BIGINT NOT NULL
);
CREATE INDEX tombstone_by_flush ON tombstone (flushed);
CREATE TABLE erasure (
    tenant UUID NOT NULL,
    subject UUID NOT NULL,
    erasure_order UUID NOT NULL UNIQUE,
    destroyed_at BIGINT NOT NULL,
    complete_by BIGINT,
    PRIMARY KEY (tenant, subject, erasure_order)
);
