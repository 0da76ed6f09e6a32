-- One row for each generation, written before a provider is asked, so that nothing is paid for twice.
CREATE TABLE generations (
    job_id       uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL,
    provider     text        NOT NULL,
    paid         boolean     NOT NULL,
    request_id   text,                   -- the provider's name of our request; known before the first poll
    resume       jsonb       NOT NULL DEFAULT '{}',   -- what else is needed to ask for it again
    asked_at     timestamptz NOT NULL DEFAULT now(),
    generated_at timestamptz,
    object_key   text,
    facts        jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX generations_by_provider ON generations (provider, asked_at);
