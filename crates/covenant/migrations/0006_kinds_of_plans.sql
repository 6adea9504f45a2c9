-- A tenant has a plan and a digest for each kind of sweep: `bin` purges what is in the bin, `live` moves
-- into the bin what has lived as long as the tenant's own rules let it.
CREATE TABLE covenant_sweep_by_kind (
    tenant UUID NOT NULL,
    kind TEXT NOT NULL,
    rules BYTEA NOT NULL,
    PRIMARY KEY (tenant, kind)
);
INSERT INTO covenant_sweep_by_kind (tenant, kind, rules) SELECT tenant, 'bin', rules FROM covenant_sweep;
DROP TABLE covenant_sweep;
ALTER TABLE covenant_sweep_by_kind RENAME TO covenant_sweep;
CREATE TABLE covenant_plan_by_kind (
    tenant UUID NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    plan BYTEA NOT NULL,
    approved BIGINT NOT NULL,
    items_max BIGINT,
    bytes_max BIGINT,
    percent_max BIGINT,
    PRIMARY KEY (tenant, kind)
);
INSERT INTO covenant_plan_by_kind (tenant, kind, cause, plan, approved, items_max, bytes_max, percent_max)
SELECT tenant, 'bin', cause, plan, approved, items_max, bytes_max, percent_max FROM covenant_plan;
DROP TABLE covenant_plan;
ALTER TABLE covenant_plan_by_kind RENAME TO covenant_plan;
