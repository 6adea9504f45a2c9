SELECT record FROM covenant_identity WHERE id = 1
