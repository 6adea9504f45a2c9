SELECT seq, root
FROM ledger_entry
WHERE tenant = $1
ORDER BY seq DESC
LIMIT 1
