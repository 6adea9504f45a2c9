SELECT disposal, issued, complete, note FROM covenant_certificate WHERE tenant = $1 ORDER BY issued, disposal
