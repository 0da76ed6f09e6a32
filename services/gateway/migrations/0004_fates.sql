-- What becomes of dead letters and of the jobs that they are about.

-- When its worker last answered that it has never heard of it.
ALTER TABLE jobs ADD COLUMN unknown_at timestamptz;

-- The dead ones are few among all that are kept.
CREATE INDEX letters_dead   ON letters (created_at DESC, id DESC) WHERE state = 'dead';
CREATE INDEX letters_by_job ON letters (job_id) WHERE job_id IS NOT NULL;
