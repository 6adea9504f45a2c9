SELECT size, root FROM covenant_head WHERE tenant = $1
