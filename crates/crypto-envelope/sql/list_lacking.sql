SELECT DISTINCT t.item FROM token t
WHERE t.tenant = $1 AND t.field = $2 AND t.item > $3 AND NOT EXISTS (
    SELECT 1 FROM token n
    WHERE n.tenant = t.tenant AND n.field = t.field AND n.item = t.item AND n.version = $4
)
ORDER BY t.item LIMIT $5
