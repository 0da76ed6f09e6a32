-- The jobs of a tree are found among those of everybody, however many there are.
CREATE INDEX jobs_by_root ON jobs (root_id, created_at DESC, id DESC);
