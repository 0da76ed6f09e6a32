-- Telling other systems what happens (Standard Webhooks): who is told, and what became of each telling.

CREATE TABLE webhooks (
    id              uuid        PRIMARY KEY,
    project_id      uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    url             text        NOT NULL,
    event_types     text[]      NOT NULL DEFAULT '{}',   -- and families such as `job.*`; none means all
    description     text        NOT NULL DEFAULT '',
    active          boolean     NOT NULL DEFAULT true,
    disabled_reason text        CHECK (disabled_reason IN ('by_request', 'gone', 'failing')),
    disabled_at     timestamptz,
    failing_since   timestamptz,                         -- the first failure after the last success
    version         integer     NOT NULL DEFAULT 1,
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (active = (disabled_reason IS NULL))
);
CREATE INDEX webhooks_by_time   ON webhooks (project_id, created_at DESC, id DESC);
CREATE INDEX webhooks_listening ON webhooks (project_id) WHERE active;

-- The newest signs; those before it sign too until they expire, so that receivers can change over.
CREATE TABLE webhook_secrets (
    webhook_id uuid        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    project_id uuid        NOT NULL,
    secret     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (webhook_id, created_at)
);

CREATE TABLE webhook_deliveries (
    id               uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    webhook_id       uuid        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    project_id       uuid        NOT NULL,
    sequence         bigint,                             -- of the event; none of a ping
    type             text        NOT NULL,
    at               timestamptz NOT NULL,
    data             jsonb       NOT NULL,
    state            text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts         integer     NOT NULL DEFAULT 0,
    due_at           timestamptz NOT NULL DEFAULT now(), -- of the next attempt; while one runs: when it counts as lost
    lease            uuid,                               -- of the attempt that runs
    status_code      integer,                            -- the last attempt, as far as it came
    error_code       text,
    error_sentence   text,
    response_excerpt text,
    duration_ms      integer,
    attempted_at     timestamptz,
    attempt_log      jsonb       NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (webhook_id, sequence)
) WITH (fillfactor = 80);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_due     ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_running ON webhook_deliveries (webhook_id) WHERE lease IS NOT NULL;
CREATE INDEX webhook_deliveries_by_age  ON webhook_deliveries USING brin (created_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhooks', 'webhook_secrets', 'webhook_deliveries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
-- What an operator does to somebody's jobs is told to that project's webhooks too.
CREATE POLICY operators ON webhooks FOR SELECT TO gateway USING ((SELECT is_operator()));
CREATE POLICY operators ON webhook_deliveries FOR INSERT TO gateway WITH CHECK ((SELECT is_operator()));

-- A request may give out a secret that it has just made, and never read one again.
REVOKE SELECT ON webhook_secrets FROM gateway;
GRANT SELECT (webhook_id, project_id, created_at, expires_at) ON webhook_secrets TO gateway;
