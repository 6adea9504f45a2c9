SELECT name FROM sqlite_schema
WHERE type = 'table' AND rootpage = 0 AND sql LIKE 'CREATE VIRTUAL TABLE%USING%fts5%'
ORDER BY name
