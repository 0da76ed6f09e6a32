-- How often something was said of what a request costs: whoever hears of it late can tell what is newer.
ALTER TABLE generations ADD COLUMN payments integer NOT NULL DEFAULT 0;
