INSERT INTO ledger_entry (tenant, seq, event, body, root)
VALUES ($1, $2, $3, $4, $5)
