-- Holds of one or more tenants, beside the data that they keep: a check and a deletion are one
-- transaction. The body is the hold's canonical bytes.
CREATE TABLE hold_generation (
    tenant UUID NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
);
CREATE TABLE hold (
    tenant UUID NOT NULL,
    id UUID NOT NULL,
    body BYTEA NOT NULL,
    asked_by UUID,
    asked_at BIGINT,
    released_at BIGINT,
    PRIMARY KEY (tenant, id)
);
-- Steps that cannot be taken back and were taken, of disposals that are not over.
CREATE TABLE hold_passed (
    tenant UUID NOT NULL,
    class TEXT NOT NULL,
    item BYTEA NOT NULL,
    store TEXT NOT NULL,
    made_at BIGINT,
    subjects BYTEA,
    PRIMARY KEY (tenant, class, item, store)
);
