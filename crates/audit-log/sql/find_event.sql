SELECT log, idx
FROM audit_entry
WHERE event = $1
ORDER BY log
LIMIT 1
