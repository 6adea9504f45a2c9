SELECT seq, body, root
FROM ledger_entry
WHERE tenant = $1 AND seq >= $2
ORDER BY seq
