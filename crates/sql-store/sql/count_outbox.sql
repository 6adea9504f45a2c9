SELECT count(*) AS n FROM outbox
