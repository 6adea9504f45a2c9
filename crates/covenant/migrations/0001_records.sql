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
-- The journal of purges under way: what must not be found any more, with every bit inverted, and
-- which objects must go. Empty when no purge is under way.
CREATE TABLE purge (
    tenant UUID NOT NULL,
    record BYTEA NOT NULL,
    probes BYTEA NOT NULL,
    objects BYTEA NOT NULL,
    PRIMARY KEY (tenant, record)
);
