-- Live records by age, so that what falls due is found without reading the others.
CREATE INDEX record_made ON record (tenant, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX record_changed ON record (tenant, changed_at, id) WHERE deleted_at IS NULL;
