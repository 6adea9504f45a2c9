SELECT file, deleted_at, version FROM withdrawal WHERE tenant = $1 ORDER BY deleted_at, file
