SELECT body
FROM ledger_entry
WHERE tenant = $1 AND event = $2
