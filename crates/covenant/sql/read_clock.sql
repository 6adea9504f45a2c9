SELECT accepted FROM covenant_clock WHERE id = $1
