UPDATE kek SET wraps = wraps + $2
WHERE id = $1 AND state = 'enabled' AND switched = 'on' AND wraps + $2 <= $3
    AND NOT EXISTS (
        SELECT 1 FROM kek AS newer
        WHERE newer.key_group = kek.key_group AND newer.n > kek.n AND newer.state <> 'intended'
    )
