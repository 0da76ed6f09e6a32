-- How the services do, as their processes report it, and how much was done for whom.

CREATE TABLE workers (
    service                  text             NOT NULL,
    worker                   text             NOT NULL,   -- host and process
    version                  text             NOT NULL,
    state                    text             NOT NULL,   -- working, stopping or stopped, as it said itself
    kinds                    text[]           NOT NULL,
    capacity                 integer          NOT NULL,
    running                  integer          NOT NULL,
    unacknowledged           integer          NOT NULL,
    heard_per_second         double precision NOT NULL,
    said_per_second          double precision NOT NULL,
    oldest_unacknowledged_at timestamptz,
    unsaid                   integer          NOT NULL,
    memory_bytes             bigint,
    work                     jsonb            NOT NULL,   -- of its whole service, by kind
    started_at               timestamptz      NOT NULL,
    at                       timestamptz      NOT NULL,   -- of its last report, by its own clock
    heard_at                 timestamptz      NOT NULL,
    PRIMARY KEY (service, worker)
) WITH (fillfactor = 50);

-- What was done in a day, for whom and of which kind; counted from the feed, up to the mark.
CREATE TABLE usage_days (
    project_id         uuid             NOT NULL,
    day                date             NOT NULL,         -- in UTC
    submitted_by       text             NOT NULL,
    kind               text             NOT NULL,
    jobs_completed     bigint           NOT NULL DEFAULT 0,
    jobs_failed        bigint           NOT NULL DEFAULT 0,
    jobs_cancelled     bigint           NOT NULL DEFAULT 0,
    images_stored      bigint           NOT NULL DEFAULT 0,
    bytes_stored       bigint           NOT NULL DEFAULT 0,
    images_generated   bigint           NOT NULL DEFAULT 0,
    generation_seconds double precision NOT NULL DEFAULT 0,
    paid_calls         bigint           NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, day, submitted_by, kind)
) WITH (fillfactor = 70);
CREATE INDEX usage_days_by_day ON usage_days (day);

CREATE TABLE usage_mark (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    sequence   bigint      NOT NULL DEFAULT 0,
    counted_at timestamptz NOT NULL DEFAULT now()
);

-- What was done before is counted from what is known of the jobs and images. The owner sees no row while he is forced.
ALTER TABLE jobs              NO FORCE ROW LEVEL SECURITY;
ALTER TABLE assets            NO FORCE ROW LEVEL SECURITY;
ALTER TABLE image_generations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE events            NO FORCE ROW LEVEL SECURITY;
INSERT INTO usage_days (project_id, day, submitted_by, kind, jobs_completed, jobs_failed, jobs_cancelled)
    SELECT project_id, (finished_at AT TIME ZONE 'UTC')::date, submitted_by, kind,
           count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed'),
           count(*) FILTER (WHERE state = 'cancelled')
    FROM jobs WHERE finished_at IS NOT NULL AND state IN ('completed', 'failed', 'cancelled')
    GROUP BY 1, 2, 3, 4;
INSERT INTO usage_days (project_id, day, submitted_by, kind, images_stored, bytes_stored)
    SELECT asset.project_id, (asset.created_at AT TIME ZONE 'UTC')::date, coalesce(job.submitted_by, ''),
           coalesce(job.kind, ''), count(*), coalesce(sum(asset.size_bytes), 0)
    FROM assets AS asset LEFT JOIN jobs AS job ON job.id = asset.job_id
    WHERE asset.sha256 IS NOT NULL
    GROUP BY 1, 2, 3, 4
ON CONFLICT (project_id, day, submitted_by, kind) DO UPDATE
SET images_stored = excluded.images_stored, bytes_stored = excluded.bytes_stored;
INSERT INTO usage_days (project_id, day, submitted_by, kind, images_generated, generation_seconds)
    SELECT scene.project_id, (scene.updated_at AT TIME ZONE 'UTC')::date, coalesce(job.submitted_by, ''),
           coalesce(job.kind, ''), count(*), sum(scene.generation_time_seconds)
    FROM image_generations AS scene LEFT JOIN jobs AS job ON job.id = scene.task_id
    WHERE scene.generation_time_seconds IS NOT NULL
    GROUP BY 1, 2, 3, 4
ON CONFLICT (project_id, day, submitted_by, kind) DO UPDATE
SET images_generated = excluded.images_generated, generation_seconds = excluded.generation_seconds;
INSERT INTO usage_mark (sequence) SELECT coalesce(max(sequence), 0) FROM events;
ALTER TABLE jobs              FORCE ROW LEVEL SECURITY;
ALTER TABLE assets            FORCE ROW LEVEL SECURITY;
ALTER TABLE image_generations FORCE ROW LEVEL SECURITY;
ALTER TABLE events            FORCE ROW LEVEL SECURITY;

-- Failures that nobody has done again, by their reason; an index alone answers how many there are.
CREATE INDEX jobs_failing ON jobs (created_at, error_code, kind, project_id, finished_at)
    WHERE state = 'failed' AND superseded_by IS NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workers', 'usage_days', 'usage_mark'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I FROM gateway', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['workers', 'usage_days'] LOOP
        EXECUTE format('CREATE POLICY operators ON %I FOR SELECT TO gateway USING ((SELECT is_operator()))', name);
    END LOOP;
END
$$;
CREATE POLICY tenants ON usage_days FOR SELECT TO gateway
    USING (project_id = ANY ((SELECT named_projects())::uuid[]));
CREATE POLICY everybody ON usage_mark FOR SELECT TO gateway USING (true);
