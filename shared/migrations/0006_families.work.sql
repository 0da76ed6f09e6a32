-- A family that waits is found page by page in the order of these, whatever the statistics say of other families.
DROP INDEX tasks_by_root;
DROP INDEX tasks_by_parent;
CREATE INDEX tasks_by_root   ON tasks (root_job_id, id)   WHERE state = 'pending' AND parent_job_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_job_id, id) WHERE state = 'pending' AND parent_job_id IS NOT NULL;
