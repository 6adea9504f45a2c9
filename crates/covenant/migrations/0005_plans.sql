-- The rules under which sweeps of a tenant's bin carry out what they plan: the digest of those that
-- its last sweep planned under and nobody has to look at any more.
CREATE TABLE covenant_sweep (
    tenant UUID PRIMARY KEY,
    rules BYTEA NOT NULL
);
-- Plans that wait for a person, the newest of each tenant, and under which limits one was approved.
CREATE TABLE covenant_plan (
    tenant UUID PRIMARY KEY,
    cause TEXT NOT NULL,
    plan BYTEA NOT NULL,
    approved BIGINT NOT NULL,
    items_max BIGINT,
    bytes_max BIGINT,
    percent_max BIGINT
);
