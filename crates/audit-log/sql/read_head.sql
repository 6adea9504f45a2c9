SELECT size, root, edge, note_size, note
FROM audit_head
WHERE log = $1
