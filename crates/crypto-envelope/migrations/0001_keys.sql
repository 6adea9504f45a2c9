CREATE TABLE store (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    gate TEXT NOT NULL,
    latest_at BIGINT NOT NULL
);
INSERT INTO store (id, revision, gate, latest_at) VALUES (1, 0, 'open', 0);
CREATE TABLE kek (
    id UUID NOT NULL PRIMARY KEY,
    key_group TEXT NOT NULL,
    n BIGINT NOT NULL,
    state TEXT NOT NULL,
    switched TEXT NOT NULL,
    wraps BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    destroy_at BIGINT,
    pending_until BIGINT,
    compromised_at BIGINT,
    destroyed_at BIGINT,
    gone_at BIGINT,
    canary BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    UNIQUE (key_group, n)
);
CREATE TABLE root (
    tenant UUID NOT NULL,
    owner BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    n BIGINT NOT NULL,
    id UUID NOT NULL UNIQUE,
    kek UUID NOT NULL,
    wrapped BYTEA NOT NULL,
    state TEXT NOT NULL,
    switched TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    active_from BIGINT,
    destroy_at BIGINT,
    pending_until BIGINT,
    compromised_at BIGINT,
    destroyed_at BIGINT,
    wrapped_revision BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (tenant, owner, purpose, n)
);
CREATE INDEX root_by_kek ON root (kek, id);
CREATE INDEX root_by_day ON root (destroy_at);
CREATE INDEX root_by_window ON root (pending_until);
CREATE INDEX root_by_revision ON root (revision);
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
    revision BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, erasure_order)
);
CREATE TABLE key_copy (
    id UUID NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    revision BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    ends_at BIGINT,
    lag_secs BIGINT,
    removed_at BIGINT
);
CREATE TABLE key_event (
    id UUID NOT NULL PRIMARY KEY,
    body BYTEA NOT NULL
);
