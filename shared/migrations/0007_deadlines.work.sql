-- Who is overdue is found without looking at all who wait: of each kind and each time allowed, the first who must end.
CREATE INDEX tasks_overdue ON tasks (kind, (deadline_at - created_at), deadline_at) WHERE state = 'pending';
