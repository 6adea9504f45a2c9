SELECT COALESCE(MAX(revision), 0) AS revision FROM covenant_rules
