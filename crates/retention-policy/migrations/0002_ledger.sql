-- The erasure ledger of those who keep no audit log: facts in order, and the root after each.
CREATE TABLE ledger_entry (
    tenant UUID NOT NULL,
    seq BIGINT NOT NULL,
    event UUID NOT NULL,
    body BYTEA NOT NULL,
    root BYTEA NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE UNIQUE INDEX ledger_event ON ledger_entry (tenant, event);
