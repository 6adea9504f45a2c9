SELECT
    (SELECT foreign_keys FROM pragma_foreign_keys) AS foreign_keys,
    (SELECT secure_delete FROM pragma_secure_delete) AS secure_delete,
    (SELECT recursive_triggers FROM pragma_recursive_triggers) AS recursive_triggers,
    (SELECT synchronous FROM pragma_synchronous) AS synchronous,
    (SELECT journal_mode = 'wal' FROM pragma_journal_mode) AS wal,
    (SELECT locking_mode <> 'normal' FROM pragma_locking_mode) AS exclusive,
    (SELECT query_only FROM pragma_query_only) AS query_only,
    (SELECT ignore_check_constraints FROM pragma_ignore_check_constraints)
        AS ignore_check_constraints,
    (SELECT trusted_schema FROM pragma_trusted_schema) AS trusted_schema,
    (SELECT writable_schema FROM pragma_writable_schema) AS writable_schema,
    (SELECT read_uncommitted FROM pragma_read_uncommitted) AS read_uncommitted,
    (SELECT reverse_unordered_selects FROM pragma_reverse_unordered_selects)
        AS reverse_unordered_selects,
    (SELECT legacy_alter_table FROM pragma_legacy_alter_table) AS legacy_alter_table,
    (SELECT timeout FROM pragma_busy_timeout) AS busy_timeout,
    (SELECT count(*) FROM temp.sqlite_schema) AS temporary
