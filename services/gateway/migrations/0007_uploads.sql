-- What people send, and what they say of images.

-- A file on its way in. Once it is accepted, the job that takes it in says how it ends; its object is kept for a while
-- after that, so that the job can be done again.
CREATE TABLE uploads (
    id           uuid        PRIMARY KEY,             -- names its object, too
    project_id   uuid        NOT NULL,
    created_by   text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('receiving', 'waiting', 'abandoned', 'accepted')),
    filename     text,
    content_type text,
    size_bytes   bigint,
    sha256       text,                                -- of bytes that came this way; otherwise as it was announced
    context      jsonb       NOT NULL DEFAULT '{}',
    tags         text[]      NOT NULL DEFAULT '{}',
    pipeline     text[]      NOT NULL DEFAULT '{}',
    job_id       uuid,
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);
CREATE INDEX uploads_by_job    ON uploads (job_id) WHERE job_id IS NOT NULL;

-- What people changed of what was said about an image where it came from; absent fields are as they came. The version
-- counts edits of any kind, from 1 for an image that nobody has edited.
CREATE TABLE image_edits (
    asset_id   uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    version    integer     NOT NULL DEFAULT 2,
    title      text,
    alt        text,
    caption    text,
    edited_by  text        NOT NULL,
    edited_at  timestamptz NOT NULL DEFAULT now()
);

-- A row for each tag: behind row-level security only plain comparisons are answered from an index.
CREATE TABLE image_tags (
    asset_id   uuid NOT NULL,
    tag        text NOT NULL,
    project_id uuid NOT NULL,
    PRIMARY KEY (asset_id, tag)
);
CREATE INDEX image_tags_by_tag ON image_tags (project_id, tag, asset_id);

-- The job that was asked to delete an image. While it may still do so the image is shown no more; where it fails the
-- image is there again. The version is the one that was to be deleted: its tombstone is one newer, and only what is
-- newer than that was stored again.
ALTER TABLE assets ADD COLUMN deleting_job_id uuid;
ALTER TABLE assets ADD COLUMN deleting_version integer;
CREATE INDEX assets_by_deleting_job ON assets (deleting_job_id) WHERE deleting_job_id IS NOT NULL;
-- Whether a project holds these bytes already.
CREATE INDEX assets_by_bytes ON assets (project_id, sha256) WHERE deleted_at IS NULL;

-- Has each session see the rows of its own projects alone: for this migration and those to come, as applied ones never
-- change. Whoever may not alter the tables can do nothing with it.
CREATE PROCEDURE fence_by_project(VARIADIC names text[]) LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CALL fence_by_project('uploads', 'image_edits', 'image_tags');
