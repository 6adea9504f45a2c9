SELECT count(*) FROM pg_ls_waldir()
