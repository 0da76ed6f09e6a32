-- Since when a URL's host asks for patience: one that does so again and again is not waited for without end.

ALTER TABLE crawl_urls ADD COLUMN put_off_at timestamptz;
