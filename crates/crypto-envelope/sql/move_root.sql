UPDATE root SET kek = $3, wrapped = $4, wrapped_revision = $5, revision = $5
WHERE id = $1 AND revision = $2 AND state <> 'destroyed'
