INSERT INTO row_mark (tenant, ledger_size, ledger_root, accepted_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant) DO UPDATE SET ledger_size = excluded.ledger_size,
    ledger_root = excluded.ledger_root, accepted_at = excluded.accepted_at
