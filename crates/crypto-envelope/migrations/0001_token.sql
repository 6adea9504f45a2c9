CREATE TABLE token (
    tenant UUID NOT NULL,
    field BYTEA NOT NULL,
    token BYTEA NOT NULL,
    item BYTEA NOT NULL,
    version UUID NOT NULL,
    sole BIGINT NOT NULL,
    PRIMARY KEY (tenant, field, token, item)
);
CREATE INDEX token_item ON token (tenant, field, item, version);
CREATE UNIQUE INDEX token_sole ON token (tenant, field, token) WHERE sole = 1;
