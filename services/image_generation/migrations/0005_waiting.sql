-- How many wait for somebody's patience is counted whenever a place at an account is asked for, while all others wait.
CREATE INDEX tasks_limited ON tasks (id) WHERE state = 'pending' AND limited;
