UPDATE audit_head
SET note_size = $2, note = $3
WHERE log = $1 AND size >= $2 AND (note_size IS NULL OR note_size < $2)
