-- Orders over rows of an integrator, beside these rows. The rows themselves are told of by three
-- views or tables that the integrator makes: retention_item, retention_event, retention_probe.
CREATE TABLE row_order (
    tenant UUID NOT NULL,
    id UUID NOT NULL,
    plan BYTEA NOT NULL,
    commit_key BYTEA NOT NULL,
    admitted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE TABLE row_disposal (
    tenant UUID NOT NULL,
    order_id UUID NOT NULL,
    class TEXT NOT NULL,
    item BYTEA NOT NULL,
    journal BYTEA NOT NULL,
    PRIMARY KEY (tenant, order_id, class, item)
);
-- How much of the ledger this store has seen, and the last time that a deletion was allowed to use.
CREATE TABLE row_mark (
    tenant UUID NOT NULL PRIMARY KEY,
    ledger_size BIGINT NOT NULL,
    ledger_root BYTEA NOT NULL,
    accepted_at BIGINT
);
