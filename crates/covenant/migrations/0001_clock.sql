-- One row: the last wall time that deletions were allowed to use.
CREATE TABLE covenant_clock (
    id BIGINT PRIMARY KEY,
    accepted BIGINT NOT NULL
);
-- The newest head of each tenant's log that this deployment has seen: kept apart from the logs, so
-- that an older copy of them shows.
CREATE TABLE covenant_head (
    tenant UUID PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL
);
