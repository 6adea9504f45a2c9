INSERT INTO covenant_certificate (tenant, disposal, issued, complete, note) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, disposal) DO UPDATE
SET issued = excluded.issued, complete = excluded.complete, note = excluded.note
WHERE excluded.complete >= covenant_certificate.complete
