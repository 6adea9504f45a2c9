UPDATE erasure SET complete_by = $2 WHERE erasure_order = $1 AND complete_by IS NULL
