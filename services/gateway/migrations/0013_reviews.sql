-- What people decide of maps, and in which order they are asked.

-- Where maps stand in the queue: the least sound first, as `rules.reviewing` judges them when they are drawn. The state
-- is the decision's where that is about these very maps; of maps that were drawn anew since nothing is decided.
ALTER TABLE maps ADD COLUMN soundness integer NOT NULL DEFAULT 1000;
ALTER TABLE maps ADD COLUMN review_state text NOT NULL DEFAULT 'unreviewed'
    CHECK (review_state IN ('unreviewed', 'approved', 'rejected'));
ALTER TABLE maps NO FORCE ROW LEVEL SECURITY;
UPDATE maps SET soundness = CASE
    WHEN quality -> 'flat' = 'true' THEN 0
    WHEN quality -> 'banded' = 'true' THEN 500
    ELSE 750 END
WHERE quality ? 'flat';
ALTER TABLE maps FORCE ROW LEVEL SECURITY;
CREATE INDEX maps_by_soundness ON maps (project_id, review_state, soundness, at, asset_id, recipe);

-- The decision that holds, known here before depth mapping has recorded it under the same number.
CREATE TABLE map_reviews (
    asset_id    uuid        NOT NULL,
    recipe      text        NOT NULL,
    project_id  uuid        NOT NULL,
    decision    integer     NOT NULL,
    map_version integer     NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('approved', 'rejected', 'unreviewed')),
    reasons     text[]      NOT NULL DEFAULT '{}',
    note        text,
    reviewed_by text        NOT NULL,
    reviewed_at timestamptz NOT NULL,
    job_id      uuid        NOT NULL,            -- that records it, or has
    PRIMARY KEY (asset_id, recipe)
);
CREATE INDEX map_reviews_approved ON map_reviews (project_id, reviewed_at, asset_id, recipe) WHERE verdict = 'approved';

-- Tags that came with rows of imports, until the job that fetches the row's image has stored it.
CREATE TABLE imported_tags (
    job_id     uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    tags       text[]      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX imported_tags_by_time ON imported_tags (created_at);

-- What other systems have said over HTTP, by what they call it, and the job that it has become: whoever repeats himself
-- is told of the same job.
CREATE TABLE received_events (
    project_id  uuid        NOT NULL,
    source      text        NOT NULL,
    id          text        NOT NULL,
    fingerprint text        NOT NULL,
    job_id      uuid        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, source, id)
);
CREATE INDEX received_events_by_time ON received_events (received_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['map_reviews', 'imported_tags', 'received_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
