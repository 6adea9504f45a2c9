SELECT plan, commit_key FROM row_order WHERE tenant = $1 AND id = $2
