CREATE TABLE covenant_identity (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    record BYTEA NOT NULL
);
