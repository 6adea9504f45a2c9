SELECT class, item, store, made_at, subjects
FROM hold_passed
WHERE tenant = $1
ORDER BY class, item, store
