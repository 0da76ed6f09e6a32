-- What pages say of themselves; of what was read before this, nothing is known. They are listed in the order in which they
-- were heard of. A URL is too long for an index where somebody wants it to be.
SET LOCAL synchronize_seqscans = off;
CREATE INDEX scraped_pages_by_time ON scraped_pages (at);
CLUSTER scraped_pages USING scraped_pages_by_time;      -- numbers are given in the order in which rows lie
DROP INDEX scraped_pages_by_time;
ALTER TABLE scraped_pages
    ADD COLUMN description   text,
    ADD COLUMN author        text,
    ADD COLUMN licence       text,
    ADD COLUMN published_at  text,              -- ISO 8601, as exact as the page tells it
    ADD COLUMN modified_at   text,
    ADD COLUMN site_name     text,
    ADD COLUMN language      text,
    ADD COLUMN canonical_url text,
    ADD COLUMN seen_number   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    DROP CONSTRAINT scraped_pages_pkey,
    ADD PRIMARY KEY (seen_number);
CREATE UNIQUE INDEX scraped_pages_once ON scraped_pages (job_id, md5(url));
CREATE INDEX scraped_pages_in_order ON scraped_pages (root_job_id, seen_number);
DROP INDEX scraped_pages_by_root;
