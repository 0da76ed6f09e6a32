-- What the gateway shows. Each row belongs to a project; 0002 builds the wall around it.

CREATE TABLE projects (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    personal_of text        UNIQUE,        -- the user whose personal project it is
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    project_id uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id    text        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, project_id)
);

CREATE TABLE jobs (
    id                  uuid        PRIMARY KEY,
    project_id          uuid        NOT NULL,
    submitted_by        text        NOT NULL,
    kind                text        NOT NULL,
    service             text        NOT NULL,
    state               text        NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    parent_id           uuid,
    root_id             uuid        NOT NULL,
    pipeline            text[]      NOT NULL DEFAULT '{}',
    asset_id            uuid,                                -- the asset that a map is drawn of
    request             jsonb,                               -- the whole command, so that it can be said again
    retried_from        uuid,
    superseded_by       uuid,                                -- the retry that counts instead
    progress            real,
    stage               text,
    attempt             integer     NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz,
    waiting_for         text,
    error_code          text,
    error_sentence      text,
    result              jsonb,
    children_total      integer,                             -- known once the job has completed
    lease_epoch         integer     NOT NULL DEFAULT 0,
    sequence            integer     NOT NULL DEFAULT -1,     -- of the news that was applied last
    cancel_requested_at timestamptz,
    cancel_requested_by text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    ask_at              timestamptz NOT NULL DEFAULT now() + interval '10 s',   -- when its silence is next looked at
    asks                integer     NOT NULL DEFAULT 0                          -- how often it was asked about in vain
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX jobs_by_time   ON jobs (project_id, created_at DESC, id DESC);
CREATE INDEX jobs_by_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_by_asset  ON jobs (asset_id) WHERE asset_id IS NOT NULL;
CREATE INDEX jobs_open      ON jobs (ask_at) WHERE state IN ('pending', 'in_progress');
CREATE INDEX jobs_failed    ON jobs (project_id, error_code, created_at DESC) WHERE state = 'failed';

-- The children that a parent has named; its tree has not ended before each of them has.
CREATE TABLE job_children (
    parent_id  uuid NOT NULL,
    child_id   uuid NOT NULL,
    project_id uuid NOT NULL,
    kind       text NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);

-- The feed that clients follow. Whoever inserts holds a lock until his commit is visible, so that sequences become
-- visible in their order and a reader that goes on from the last one it saw misses nothing.
CREATE TABLE events (
    sequence    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  uuid        NOT NULL,
    job_id      uuid,
    parent_id   uuid,
    root_id     uuid,
    type        text        NOT NULL,
    at          timestamptz NOT NULL,
    data        jsonb       NOT NULL
);
CREATE INDEX events_by_project ON events (project_id, sequence);
CREATE INDEX events_by_root    ON events (root_id, sequence);
CREATE INDEX events_by_time    ON events USING brin (at);
CREATE INDEX events_of_progress ON events (at) WHERE type = 'job.progressed';   -- kept for an hour only

CREATE FUNCTION write_in_commit_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('gateway.events'));
    RETURN NULL;
END
$$;
CREATE TRIGGER events_in_commit_order BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION write_in_commit_order();

CREATE TABLE assets (
    id             uuid        PRIMARY KEY,
    project_id     uuid        NOT NULL,
    stored_version integer     NOT NULL,          -- of the newest MediaStored or MediaDeleted
    sha256         text,
    size_bytes     bigint,
    content_type   text,
    width_px       integer,
    height_px      integer,
    original_key   text,
    renditions     jsonb       NOT NULL DEFAULT '[]',
    thumbhash      text,
    source_url     text,
    context        jsonb       NOT NULL DEFAULT '{}',
    pipeline       text[]      NOT NULL DEFAULT '{}',
    job_id         uuid,                          -- the job that stored it last
    root_job_id    uuid,
    deleted_at     timestamptz,                   -- a tombstone: only a newer version comes back
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE INDEX assets_by_time ON assets (project_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- Every job that stored these bytes, also when the project already had them.
CREATE TABLE asset_sources (
    asset_id    uuid        NOT NULL,
    job_id      uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    root_job_id uuid        NOT NULL,
    source_url  text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (asset_id, job_id)
);
CREATE INDEX asset_sources_by_job  ON asset_sources (job_id);
CREATE INDEX asset_sources_by_root ON asset_sources (root_job_id);

CREATE TABLE descriptions (
    asset_id        uuid        NOT NULL,
    origin          text        NOT NULL,
    project_id      uuid        NOT NULL,
    subject_version integer     NOT NULL,
    palette         jsonb       NOT NULL,
    perceptual_hash text,
    at              timestamptz NOT NULL,
    PRIMARY KEY (asset_id, origin)
);

CREATE TABLE maps (
    asset_id        uuid        NOT NULL,
    recipe          text        NOT NULL,
    project_id      uuid        NOT NULL,
    subject_version integer     NOT NULL,
    job_id          uuid        NOT NULL,
    depth           jsonb       NOT NULL,
    edges           jsonb       NOT NULL,
    preview         jsonb       NOT NULL,
    coloured        jsonb       NOT NULL,
    sidecar_key     text        NOT NULL,
    kind            text        NOT NULL,
    estimator       text        NOT NULL,
    quality         jsonb       NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (asset_id, recipe)
);

CREATE TABLE found_images (
    fetch_job_id uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL,
    job_id       uuid        NOT NULL,
    root_job_id  uuid        NOT NULL,
    url          text        NOT NULL,
    found_in     text        NOT NULL,
    context      jsonb       NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX found_images_by_job ON found_images (job_id);

CREATE TABLE scraped_pages (
    job_id         uuid        NOT NULL,
    url            text        NOT NULL,
    project_id     uuid        NOT NULL,
    root_job_id    uuid        NOT NULL,
    title          text,
    images_found   integer     NOT NULL,
    images_skipped integer     NOT NULL,
    skipped        jsonb       NOT NULL,
    at             timestamptz NOT NULL,
    PRIMARY KEY (job_id, url)
);
CREATE INDEX scraped_pages_by_root ON scraped_pages (root_job_id);

CREATE TABLE rejections (
    job_id      uuid        PRIMARY KEY,
    project_id  uuid        NOT NULL,
    root_job_id uuid        NOT NULL,
    url         text,
    object_key  text,
    code        text        NOT NULL,
    sentence    text        NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX rejections_by_root ON rejections (root_job_id);

-- The image of a scene: one record for each scene of a chapter, with the task that draws it now.
CREATE TABLE image_generations (
    record_id               uuid        PRIMARY KEY,
    project_id              uuid        NOT NULL,
    task_id                 uuid        NOT NULL UNIQUE,
    chapter_id              text        NOT NULL,
    scene_number            integer     NOT NULL,
    script_id               text,
    image_type              text        NOT NULL,
    status                  text        NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    retry_count             integer     NOT NULL DEFAULT 0,
    progress                real,
    scene_description       text        NOT NULL,
    style                   text        NOT NULL,
    aspect_ratio            text        NOT NULL,
    drawing                 text        NOT NULL,   -- a digest of all that the generator is told
    user_tier               text,
    object_key              text,
    asset_id                uuid,
    model_used              text,
    provider                text,
    generation_time_seconds double precision,
    last_attempted_at       timestamptz,
    error_code              text,
    error_sentence          text,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, chapter_id, scene_number)
);
CREATE INDEX image_generations_by_chapter       ON image_generations (chapter_id);
CREATE INDEX image_generations_by_chapter_scene ON image_generations (chapter_id, scene_number);
CREATE INDEX image_generations_by_retry_count   ON image_generations (retry_count);
CREATE INDEX image_generations_by_status        ON image_generations (status);

-- Media stored for a scene, named by the job that fetches them; the job's own row has their state.
CREATE TABLE scene_media (
    job_id     uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    scene_id   text        NOT NULL,
    url        text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scene_media_by_scene ON scene_media (project_id, scene_id, created_at);

-- What a POST with an Idempotency-Key was answered; kept for a day. The project is the user's personal one.
CREATE TABLE idempotency_keys (
    project_id  uuid        NOT NULL,
    key         text        NOT NULL,
    fingerprint text        NOT NULL,
    answer      jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
