-- What was read, and what each page gave.
CREATE TABLE pages (
    job_id         uuid        PRIMARY KEY,
    project_id     uuid        NOT NULL,
    url            text        NOT NULL,
    title          text,
    images_found   integer     NOT NULL,
    images_skipped integer     NOT NULL,
    skipped        jsonb       NOT NULL,   -- [{url, code, sentence}]
    read_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pages_by_project ON pages (project_id, read_at);
