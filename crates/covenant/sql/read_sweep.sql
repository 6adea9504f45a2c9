SELECT rules FROM covenant_sweep WHERE tenant = $1 AND kind = $2
