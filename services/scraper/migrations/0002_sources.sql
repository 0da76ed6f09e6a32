-- What is read beside single pages: crawls, with one line for each URL that was ever seen in one.

CREATE TABLE crawls (
    id           uuid        PRIMARY KEY,              -- the job that began it
    project_id   uuid        NOT NULL,
    scope        jsonb       NOT NULL,
    seeds        text[]      NOT NULL,
    pages_taken  integer     NOT NULL DEFAULT 0,       -- ever let into the frontier; never more than the scope allows
    pages_done   integer     NOT NULL DEFAULT 0,
    images_taken integer     NOT NULL DEFAULT 0,
    urls_noted   bigint      NOT NULL DEFAULT 0,       -- each has a line
    urls_left_out bigint     NOT NULL DEFAULT 0,       -- seen when there were too many lines already
    rows_read    bigint      NOT NULL DEFAULT 0,       -- of a manifest
    previous_id  uuid,                                 -- an earlier crawl, whose images are not fetched again
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE crawl_urls (
    crawl_id     uuid        NOT NULL REFERENCES crawls ON DELETE CASCADE,
    kind         text        NOT NULL CHECK (kind IN ('page', 'sitemap', 'feed', 'image')),
    key          bytea       NOT NULL,                 -- SHA-256 of its canonical spelling
    url          text        NOT NULL,
    found_on     text,
    depth        integer     NOT NULL,
    seen_number  bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    outcome      text        NOT NULL CHECK (outcome IN (
                     'waiting', 'asked',                            -- on its way
                     'read',                                        -- pages, sitemaps, feeds
                     'found', 'stored',                             -- images
                     'duplicate', 'skipped', 'refused')),
    code         text,
    sentence     text,
    job_id       uuid,                                 -- of the step that asked or found it
    fetch_job_id uuid,                                 -- of an image: under which media fetches it
    tries        integer     NOT NULL DEFAULT 0,       -- answers that may change: a busy or broken host
    lost         integer     NOT NULL DEFAULT 0,       -- times its reader went away without an answer
    not_before   timestamptz,
    settled_at   timestamptz,
    PRIMARY KEY (crawl_id, kind, key)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX crawl_urls_waiting ON crawl_urls (crawl_id, depth, seen_number) WHERE outcome = 'waiting';
CREATE INDEX crawl_urls_asked   ON crawl_urls (crawl_id)               WHERE outcome = 'asked';
CREATE INDEX crawl_urls_by_step ON crawl_urls (job_id);
CREATE INDEX crawl_urls_by_fetch ON crawl_urls (fetch_job_id)          WHERE fetch_job_id IS NOT NULL;

-- Crawls that are begun again and again.
CREATE TABLE schedules (
    project_id    uuid        NOT NULL,
    name          text        NOT NULL,
    every_minutes integer     NOT NULL,
    command       jsonb       NOT NULL,                -- what is crawled, and for whom
    next_at       timestamptz NOT NULL,
    last_crawl_id uuid,
    PRIMARY KEY (project_id, name)
);
CREATE INDEX schedules_due ON schedules (next_at);
