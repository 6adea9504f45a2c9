SELECT revision FROM covenant_keys WHERE id = $1
