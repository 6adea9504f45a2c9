SELECT t.name FROM sqlite_schema AS t
WHERE t.type = 'table' AND t.rootpage = 0
  AND ((t.sql LIKE 'CREATE VIRTUAL TABLE%USING%fts5%'
        AND EXISTS (SELECT 1 FROM sqlite_schema AS d WHERE d.name = t.name || '_data')
        AND EXISTS (SELECT 1 FROM sqlite_schema AS c WHERE c.name = t.name || '_config'))
    OR ((t.sql LIKE 'CREATE VIRTUAL TABLE%USING%fts4%' OR t.sql LIKE 'CREATE VIRTUAL TABLE%USING%fts3%')
        AND EXISTS (SELECT 1 FROM sqlite_schema AS d WHERE d.name = t.name || '_segdir')
        AND EXISTS (SELECT 1 FROM sqlite_schema AS c WHERE c.name = t.name || '_segments')))
ORDER BY t.name
