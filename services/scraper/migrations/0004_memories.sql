-- What the sources of a project's crawls gave in the version that was read last, so that one that is still the same need
-- not be sent again.
CREATE TABLE memories (
    project_id    uuid        NOT NULL,
    kind          text        NOT NULL,        -- of source: page, sitemap, feed
    key           bytea       NOT NULL,        -- SHA-256 of its canonical spelling
    recipe        text        NOT NULL,        -- by which it was read
    etag          text,
    last_modified text,
    gave          bytea       NOT NULL,        -- packed
    seen_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, kind, key)
);
CREATE INDEX memories_by_age ON memories (seen_at);
