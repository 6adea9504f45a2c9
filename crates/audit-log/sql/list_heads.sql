SELECT log, size, root, note_size
FROM audit_head
ORDER BY log
