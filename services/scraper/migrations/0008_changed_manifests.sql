-- A manifest may change between two attempts to read it.

ALTER TABLE crawls ADD COLUMN manifest_digest  bytea;                             -- SHA-256 of what rows_read counts in
ALTER TABLE crawls ADD COLUMN manifest_changed boolean NOT NULL DEFAULT false;    -- it was another one before
ALTER TABLE crawls ADD COLUMN imports_begun    integer NOT NULL DEFAULT 0;        -- numbers that are taken
