-- What operators see and do: dead letters of every service, pauses, retries, and jobs that nobody answers for.

-- Dead letters of every service, as the services tell of them.
CREATE TABLE letters (
    id           uuid        PRIMARY KEY,
    service      text        NOT NULL,
    project_id   uuid,                  -- of its job, where that could be read
    job_id       uuid,
    message_id   text,
    message_type text,
    topic        text,
    code         text        NOT NULL,
    sentence     text        NOT NULL,
    size_bytes   integer,
    excerpt      text,                  -- how its body begins
    state        text        NOT NULL CHECK (state IN ('dead', 'redriving', 'taken_in', 'said_again',
                                                       'discarding', 'discarded', 'unknown')),
    asked_by     text,                  -- who asked last what shall become of it
    created_at   timestamptz NOT NULL,  -- when it was set aside, by the clock of its service
    updated_at   timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz            -- of the latest word about it, by the clock of its service
);
CREATE INDEX letters_by_time    ON letters (created_at DESC, id DESC);
CREATE INDEX letters_by_project ON letters (project_id, created_at DESC, id DESC) WHERE project_id IS NOT NULL;

-- The last pause of each kind of work, also after its end, so that it is known that it has ended.
CREATE TABLE work_pauses (
    kind       text        PRIMARY KEY,
    owner      text        NOT NULL,
    paused_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    resumed_by text,
    resumed_at timestamptz
);

-- The letter whose fate ended the job; delivered after all, it takes the end back.
ALTER TABLE jobs ADD COLUMN ended_by_letter uuid;
-- Since when it has been asked about in vain.
ALTER TABLE jobs ADD COLUMN unanswered_since timestamptz;
CREATE INDEX jobs_ended_by_letter ON jobs (ended_by_letter) WHERE ended_by_letter IS NOT NULL;
CREATE INDEX jobs_unanswered      ON jobs (unanswered_since) WHERE unanswered_since IS NOT NULL;
CREATE INDEX jobs_of_all_by_time  ON jobs (created_at DESC, id DESC);

-- A transaction that says so sees what operators see: jobs and letters of every project, and nothing of their images.
CREATE FUNCTION is_operator() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT coalesce(current_setting('diorama.operator', true), '') = 'on' $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['letters', 'work_pauses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'jobs', 'job_children', 'events', 'scraped_pages', 'rejections', 'image_generations', 'scene_media', 'letters',
        'work_pauses'
    ] LOOP
        EXECUTE format('CREATE POLICY operators ON %I TO gateway'
                       ' USING ((SELECT is_operator())) WITH CHECK ((SELECT is_operator()))', name);
    END LOOP;
END
$$;
CREATE POLICY tenants ON letters TO gateway
    USING (project_id = ANY ((SELECT named_projects())::uuid[]))
    WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]));
-- Whoever waits may know why.
CREATE POLICY everybody ON work_pauses FOR SELECT TO gateway USING (true);
