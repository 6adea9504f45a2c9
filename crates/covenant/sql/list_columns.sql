SELECT m.name AS tbl, c.name AS col
FROM sqlite_schema m JOIN pragma_table_info(m.name) c
WHERE m.type = 'table'
ORDER BY m.name, c.cid
