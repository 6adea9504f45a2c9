UPDATE hold_generation
SET generation = generation + 1
WHERE tenant = $1
