INSERT INTO audit_ctx (one, txn)
VALUES (1, $1)
ON CONFLICT (one) DO UPDATE SET txn = excluded.txn
