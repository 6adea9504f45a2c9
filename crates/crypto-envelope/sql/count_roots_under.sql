SELECT COUNT(*) AS living FROM root WHERE kek = $1 AND state <> 'destroyed'
