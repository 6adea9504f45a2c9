SELECT seq, root
FROM ledger_entry
WHERE tenant = $1 AND seq = $2
