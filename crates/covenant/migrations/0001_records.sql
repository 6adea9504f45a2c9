-- The records of one tenant. Content is sealed; ids, instants and lengths are declared plain.
CREATE TABLE record (
    tenant UUID NOT NULL,
    id BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX record_bin ON record (tenant, deleted_at);
CREATE TABLE content (
    tenant UUID NOT NULL,
    record BYTEA NOT NULL,
    body BYTEA NOT NULL,
    sensitive BYTEA,
    PRIMARY KEY (tenant, record)
);
CREATE TABLE attachment (
    tenant UUID NOT NULL,
    id BYTEA NOT NULL,
    record BYTEA NOT NULL,
    stored_len BIGINT NOT NULL,
    probe BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX attachment_record ON attachment (tenant, record);
-- Disposals under way, each as the journal row of retention-policy, version 1, which holds salts with
-- every bit inverted; and the objects that go with the record. A record that is named here is out of
-- the bin: no read shows it and nothing brings it back. Empty when no purge is under way.
CREATE TABLE disposal (
    tenant UUID NOT NULL,
    record BYTEA NOT NULL,
    ordered UUID NOT NULL,
    journal BYTEA NOT NULL,
    objects BYTEA NOT NULL,
    PRIMARY KEY (tenant, record)
);
-- On what the order of a disposal under way rests.
CREATE TABLE disposal_order (
    tenant UUID NOT NULL,
    id UUID NOT NULL,
    rule TEXT NOT NULL,
    clause TEXT,
    rules BYTEA,
    PRIMARY KEY (tenant, id)
);
