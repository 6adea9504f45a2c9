DELETE FROM audit_touch
WHERE seq <= $1
