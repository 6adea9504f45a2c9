-- One row: the newest revision of the key store that this deployment has seen, kept apart from it,
-- so that an older one put in its place shows.
CREATE TABLE covenant_keys (
    id BIGINT PRIMARY KEY,
    revision BIGINT NOT NULL
);
