SELECT revision, gate, latest_at FROM store WHERE id = 1
