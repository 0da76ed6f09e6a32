-- Whether scripts build the pages of a crawl before they are read.

ALTER TABLE crawls ADD COLUMN rendered boolean NOT NULL DEFAULT false;
