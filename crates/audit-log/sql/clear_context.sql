DELETE FROM audit_ctx
