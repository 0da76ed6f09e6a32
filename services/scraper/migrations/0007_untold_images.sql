-- Images that wait until the sites at which they lie can tell whether robots may have them.
CREATE TABLE untold_images (
    source_job_id uuid        NOT NULL,                -- the crawl, or the job of the single page
    key           bytea       NOT NULL,                -- SHA-256 of the image's canonical spelling
    origin        text        NOT NULL,                -- that has to tell its rules first
    project_id    uuid        NOT NULL,
    job_id        uuid        NOT NULL,                -- that found it
    depth         integer     NOT NULL,
    found_on      text        NOT NULL,
    image         jsonb       NOT NULL,                -- {url, alternatives, found_in, context}
    noted_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_job_id, key)
);
CREATE INDEX untold_images_by_age ON untold_images (noted_at);
CREATE INDEX untold_images_by_origin ON untold_images (source_job_id, origin, noted_at, key);
