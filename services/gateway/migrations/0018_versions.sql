-- Every picture that was drawn stays: for which scene it was, what it goes back to, and what it cost.

-- How a chapter looks: style, aspect_ratio, negative_prompt, seed and provider, as far as they are said.
ALTER TABLE chapters ADD COLUMN look jsonb NOT NULL DEFAULT '{}';

-- A job that draws, with what is asked for of it alone; of a free request, and of a deleted scene, the record is null.
CREATE TABLE drawings (
    task_id      uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL,
    record_id    uuid        REFERENCES image_generations (record_id) ON DELETE SET NULL,
    of_scene     boolean     NOT NULL DEFAULT true,
    from_task_id uuid,                            -- the picture that it goes back to
    from_sample  integer,
    drawing      text,                            -- a digest of all that the generator is told
    recipe       text,                            -- the same, whichever of a family of seeds it is told
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drawings_by_record  ON drawings (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX drawings_by_project ON drawings (project_id);

-- A picture of a job; those of a scene are its versions, numbered from 1.
CREATE TABLE pictures (
    task_id            uuid             NOT NULL,
    sample             integer          NOT NULL,
    project_id         uuid             NOT NULL,
    record_id          uuid             REFERENCES image_generations (record_id) ON DELETE SET NULL,
    number             integer,
    upload_job_id      uuid,                      -- the job that takes it into the library
    asset_id           uuid,
    object_key         text             NOT NULL,
    width_px           integer,
    height_px          integer,
    provider           text             NOT NULL,
    model              text             NOT NULL,
    seed               bigint,
    aspect_ratio       text,
    samples            integer          NOT NULL DEFAULT 1,   -- of its job
    paid               boolean,
    cost_micros        bigint,                    -- millionths of a US dollar; null: nobody knows the price
    generation_seconds double precision NOT NULL,
    generated_at       timestamptz      NOT NULL,
    PRIMARY KEY (task_id, sample)
);
CREATE UNIQUE INDEX pictures_by_record ON pictures (record_id, number) WHERE record_id IS NOT NULL;
CREATE INDEX pictures_by_asset   ON pictures (asset_id) WHERE asset_id IS NOT NULL;
CREATE INDEX pictures_by_upload  ON pictures (upload_job_id) WHERE asset_id IS NULL;
CREATE INDEX pictures_by_project ON pictures (project_id);
-- How long a provider takes is learnt from what it has drawn in that shape.
CREATE INDEX pictures_by_pace    ON pictures (provider, aspect_ratio, samples, generated_at DESC) WHERE sample = 0;
CREATE INDEX pictures_by_time    ON pictures (generated_at DESC) WHERE sample = 0;
DROP INDEX image_generations_by_pace;

-- Which version people have chosen, choice upon choice; the last that was not taken back holds.
CREATE TABLE picture_choices (
    record_id  uuid        NOT NULL REFERENCES image_generations (record_id) ON DELETE CASCADE,
    ordinal    integer     NOT NULL,
    project_id uuid        NOT NULL,
    number     integer     NOT NULL,
    chosen_by  text        NOT NULL,
    chosen_at  timestamptz NOT NULL DEFAULT now(),
    undone_at  timestamptz,
    PRIMARY KEY (record_id, ordinal)
);

-- What somebody outside has said that a provider calls a request; of use where its job ends as `outcome_unknown`.
CREATE TABLE told_requests (
    job_id     uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    request_id text        NOT NULL,
    told_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX told_requests_by_time ON told_requests (told_at);

-- Of what was drawn before, the last picture of each scene is known. The owner sees no row while he is forced.
ALTER TABLE image_generations ADD COLUMN shown_task_id uuid;
ALTER TABLE image_generations ADD COLUMN shown_sample integer;
ALTER TABLE image_generations NO FORCE ROW LEVEL SECURITY;
INSERT INTO drawings (task_id, project_id, record_id, drawing, created_at)
    SELECT task_id, project_id, record_id, drawing, created_at FROM image_generations;
INSERT INTO pictures (task_id, sample, project_id, record_id, number, asset_id, object_key, provider, model,
                      aspect_ratio, generation_seconds, generated_at)
    SELECT task_id, 0, project_id, record_id, 1, asset_id, object_key, coalesce(provider, ''),
           coalesce(model_used, ''), aspect_ratio, coalesce(generation_time_seconds, 0), updated_at
    FROM image_generations WHERE object_key IS NOT NULL;
UPDATE image_generations SET shown_task_id = task_id, shown_sample = 0 WHERE object_key IS NOT NULL;
ALTER TABLE image_generations FORCE ROW LEVEL SECURITY;

-- What pictures cost, beside how many there were.
ALTER TABLE usage_days ADD COLUMN cost_micros bigint NOT NULL DEFAULT 0;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['drawings', 'pictures', 'picture_choices', 'told_requests'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
    -- Whoever does a job of anybody again, or goes on with one, has what hangs on it follow.
    FOREACH name IN ARRAY ARRAY['drawings', 'pictures', 'told_requests'] LOOP
        EXECUTE format('CREATE POLICY operators ON %I TO gateway'
                       ' USING ((SELECT is_operator())) WITH CHECK ((SELECT is_operator()))', name);
    END LOOP;
END
$$;
