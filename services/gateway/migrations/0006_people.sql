-- Projects and who belongs to them, the chapters and scenes that they tell, whom it is for, and who did what.

ALTER TABLE projects ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE projects ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE members ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE members ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX members_by_project ON members (project_id, created_at, user_id);

CREATE TABLE chapters (
    project_id  uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    id          text        NOT NULL,
    title       text        NOT NULL DEFAULT '',
    description text        NOT NULL DEFAULT '',
    position    integer     NOT NULL DEFAULT 0,
    script_id   text,
    version     integer     NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX chapters_in_order ON chapters (project_id, position, id);

CREATE TABLE scenes (
    project_id  uuid        NOT NULL,
    chapter_id  text        NOT NULL,
    number      integer     NOT NULL,
    title       text        NOT NULL DEFAULT '',
    description text        NOT NULL DEFAULT '',   -- what is drawn where a request describes nothing
    position    integer     NOT NULL,
    version     integer     NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, chapter_id, number),
    FOREIGN KEY (project_id, chapter_id) REFERENCES chapters (project_id, id) ON DELETE CASCADE
);
CREATE INDEX scenes_in_order ON scenes (project_id, chapter_id, position, number);

CREATE TABLE customers (
    id          uuid        PRIMARY KEY,
    project_id  uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    external_id text,                              -- what the project's own books call him
    name        text        NOT NULL,
    email       text,
    phone       text,
    company     text,
    notes       text        NOT NULL DEFAULT '',
    tags        text[]      NOT NULL DEFAULT '{}',
    version     integer     NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    name_key    text        NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    sought      text        NOT NULL GENERATED ALWAYS AS
        (lower(name || E'\n' || coalesce(email, '') || E'\n' || coalesce(company, ''))) STORED,
    UNIQUE (project_id, external_id)
);
CREATE INDEX customers_by_time ON customers (project_id, created_at DESC, id DESC);
CREATE INDEX customers_by_name ON customers (project_id, name_key, id);
-- `deploy.database` makes the extension, and has LIKE use an index also behind row-level security.
CREATE INDEX customers_sought  ON customers USING gin (sought gin_trgm_ops) WITH (fastupdate = off);

CREATE TABLE customer_images (
    customer_id uuid        NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    image_id    uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, image_id)
);

CREATE TABLE audit_entries (
    id           uuid        PRIMARY KEY,
    project_id   uuid,                             -- null: what operators did to no project
    actor        text        NOT NULL,
    action       text        NOT NULL,
    subject_kind text        NOT NULL,
    subject_id   text        NOT NULL,
    details      jsonb       NOT NULL DEFAULT '{}',
    at           timestamptz NOT NULL DEFAULT now(),
    trace_id     text
);
CREATE INDEX audit_entries_by_project ON audit_entries (project_id, at DESC, id DESC);
CREATE INDEX audit_entries_by_time    ON audit_entries (at DESC, id DESC);
CREATE INDEX audit_entries_by_subject ON audit_entries (subject_id, at DESC, id DESC);

-- The chapters and scenes that were drawn before they could be registered. The owner sees no row while he is forced.
ALTER TABLE image_generations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE projects          NO FORCE ROW LEVEL SECURITY;
INSERT INTO chapters (project_id, id, position, script_id)
    SELECT project_id, chapter_id, row_number() OVER (PARTITION BY project_id ORDER BY min(created_at), chapter_id) - 1,
           max(script_id)
    FROM image_generations WHERE project_id IN (SELECT id FROM projects)
    GROUP BY project_id, chapter_id;
INSERT INTO scenes (project_id, chapter_id, number, position)
    SELECT project_id, chapter_id, scene_number, scene_number
    FROM image_generations WHERE project_id IN (SELECT id FROM projects);
ALTER TABLE image_generations FORCE ROW LEVEL SECURITY;
ALTER TABLE projects          FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['chapters', 'scenes', 'customers', 'customer_images', 'audit_entries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CREATE POLICY operators ON audit_entries TO gateway
    USING ((SELECT is_operator())) WITH CHECK ((SELECT is_operator()));

-- What was noted stays as it is until its time is over.
REVOKE UPDATE, DELETE ON audit_entries FROM gateway;
REVOKE UPDATE ON audit_entries FROM gateway_projection;
