WITH held AS (
    SELECT backend_xid::text::bigint AS xid FROM pg_stat_activity WHERE pid <> pg_backend_pid()
    UNION ALL
    SELECT backend_xmin::text::bigint FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
    UNION ALL
    SELECT transaction::text::bigint FROM pg_prepared_xacts
    UNION ALL
    SELECT xmin::text::bigint FROM pg_replication_slots
    UNION ALL
    SELECT catalog_xmin::text::bigint FROM pg_replication_slots
)
-- transaction ids are compared as the server does: on a circle of 32 bits
SELECT count(*) FROM held WHERE (($1 - xid) & 4294967295) BETWEEN 1 AND 2147483647
