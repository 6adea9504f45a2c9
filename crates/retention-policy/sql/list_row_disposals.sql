SELECT journal FROM row_disposal
WHERE tenant = $1 AND order_id = $2
ORDER BY class, item
