SELECT ledger_size, ledger_root, accepted_at FROM row_mark WHERE tenant = $1
