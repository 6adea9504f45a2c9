UPDATE tenant SET state = $3, epoch = $4, generation = $5 WHERE id = $1 AND epoch = $2
