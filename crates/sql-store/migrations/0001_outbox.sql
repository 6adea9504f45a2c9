CREATE TABLE outbox (
    event UUID NOT NULL PRIMARY KEY,
    log UUID NOT NULL,
    kind BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    txn UUID NOT NULL,
    leaf BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX outbox_order ON outbox (recorded_at, event);
