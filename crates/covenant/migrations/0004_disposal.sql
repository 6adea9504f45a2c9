-- Disposals of whole databases under way, each as the journal row of retention-policy, version 1. The
-- generation is the store's: a store that was restored since is another one.
CREATE TABLE covenant_disposal (
    tenant UUID PRIMARY KEY,
    generation BIGINT NOT NULL,
    journal BYTEA NOT NULL
);
-- Certificates of disposal, the newest of each order. They hold commitments and no content, and they
-- outlive what they tell of.
CREATE TABLE covenant_certificate (
    tenant UUID NOT NULL,
    disposal UUID NOT NULL,
    issued BIGINT NOT NULL,
    complete BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (tenant, disposal)
);
