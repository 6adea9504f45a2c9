CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder UUID,
    fence BIGINT NOT NULL,
    life UUID NOT NULL,
    expires_at BIGINT NOT NULL,
    length BIGINT NOT NULL
);
