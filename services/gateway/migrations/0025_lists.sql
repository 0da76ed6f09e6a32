-- The jobs of a tree are found among those of everybody, and what a webhook was told in vain among all that it was told.
CREATE INDEX jobs_by_root ON jobs (root_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, created_at DESC, id DESC)
    WHERE state = 'failed';
