-- Of which assets nobody has been told yet what is handed out: those that were stored before there were clean copies, and
-- what processes of before store meanwhile. They are looked at when they are due, and never again once it is told.
ALTER TABLE assets ADD COLUMN copy_due_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX assets_without_copy ON assets (copy_due_at) WHERE copy_due_at < 'infinity' AND deleted_at IS NULL;
