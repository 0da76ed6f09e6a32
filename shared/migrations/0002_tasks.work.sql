-- What a worker does. Applied to the schema of every worker.

CREATE TABLE tasks (
    id             uuid             PRIMARY KEY,   -- the job's id, so that a repeated command inserts nothing
    kind           text             NOT NULL,
    command        jsonb            NOT NULL,
    project_id     uuid             NOT NULL,
    parent_job_id  uuid,
    root_job_id    uuid             NOT NULL,
    traceparent    text,
    state          text             NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    created_at     timestamptz      NOT NULL DEFAULT now(),
    run_at         timestamptz      NOT NULL DEFAULT now(),
    rank_at        timestamptz      NOT NULL,      -- created_at, earlier by 30 s for each point of priority: waiting ages it
    deadline_at    timestamptz      NOT NULL,
    attempt        integer          NOT NULL DEFAULT 0,      -- attempts used up
    crashes        integer          NOT NULL DEFAULT 0,      -- times it was alone in a process that died
    suspect        boolean          NOT NULL DEFAULT false,  -- was in a process that died: runs alone until it has ended
    announced      boolean          NOT NULL DEFAULT false,  -- JobAccepted was said
    lease_token    uuid,
    lease_until    timestamptz,
    lease_epoch    integer          NOT NULL DEFAULT 0,
    worker         text,
    started_at     timestamptz,
    finished_at    timestamptz,
    progress       double precision,
    stage          text,
    error_code     text,
    error_sentence text
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Neither index holds a column that a heartbeat changes, so that heartbeats stay cheap.
CREATE INDEX tasks_due     ON tasks (project_id, rank_at) WHERE state = 'pending';
CREATE INDEX tasks_running ON tasks (project_id)          WHERE state = 'in_progress';
CREATE INDEX tasks_by_root   ON tasks (root_job_id)       WHERE state = 'pending' AND parent_job_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_job_id)     WHERE state = 'pending' AND parent_job_id IS NOT NULL;
CREATE INDEX tasks_by_age  ON tasks USING brin (created_at);
CREATE INDEX tasks_silent  ON tasks (created_at)          WHERE state = 'pending' AND NOT announced;
CREATE INDEX tasks_suspect ON tasks (run_at)              WHERE state = 'pending' AND suspect;

-- Jobs that were cancelled, also those whose command has not arrived yet.
CREATE TABLE tombstones (
    job_id       uuid        PRIMARY KEY,
    cancelled_by text        NOT NULL,
    cancelled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tombstones_by_time ON tombstones (cancelled_at);

CREATE TABLE pauses (
    kind       text        PRIMARY KEY,
    owner      text        NOT NULL,
    expires_at timestamptz NOT NULL
);
