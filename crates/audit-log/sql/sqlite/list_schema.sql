SELECT type, name, sql
FROM sqlite_schema
WHERE type IN ('table', 'trigger')
ORDER BY name
