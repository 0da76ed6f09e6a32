-- Lists of pages are counted apart, so that an index of many sitemaps takes no page's place.

ALTER TABLE crawls ADD COLUMN lists_taken integer NOT NULL DEFAULT 0;    -- of pages_taken: sitemaps and feeds
