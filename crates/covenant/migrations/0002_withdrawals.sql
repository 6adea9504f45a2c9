-- The journal of attached files that were deleted and are not shown to be out of reach yet: a file's
-- row and its entry here change in one transaction. Empty when no deletion is under way.
CREATE TABLE withdrawal (
    tenant UUID NOT NULL,
    file BYTEA NOT NULL,
    deleted_at BIGINT NOT NULL,
    version TEXT,
    PRIMARY KEY (tenant, file)
);
