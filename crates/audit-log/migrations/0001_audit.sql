CREATE TABLE audit_entry (
    log UUID NOT NULL,
    idx BIGINT NOT NULL,
    event UUID NOT NULL,
    leaf_hash BYTEA NOT NULL,
    leaf BYTEA NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    txn UUID NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    kind TEXT NOT NULL,
    tbl TEXT,
    item BYTEA,
    PRIMARY KEY (log, idx),
    UNIQUE (log, event)
);
CREATE INDEX audit_entry_event ON audit_entry (event);
CREATE INDEX audit_entry_txn ON audit_entry (log, txn);
CREATE TABLE audit_level (
    log UUID NOT NULL,
    height BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (log, height, idx)
);
CREATE TABLE audit_head (
    log UUID NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    edge BYTEA NOT NULL,
    note_size BIGINT,
    note TEXT
);
CREATE TABLE audit_sealed (
    log UUID NOT NULL,
    event UUID NOT NULL,
    path TEXT NOT NULL,
    ct BYTEA NOT NULL,
    PRIMARY KEY (log, event, path)
);
CREATE TABLE audit_quarantine (
    log UUID NOT NULL,
    event UUID NOT NULL,
    leaf_hash BYTEA NOT NULL,
    reason TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    txn UUID NOT NULL,
    leaf BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (log, event, leaf_hash)
);
CREATE TABLE audit_key (
    log UUID NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    vkey TEXT NOT NULL,
    seed BYTEA NOT NULL
);
