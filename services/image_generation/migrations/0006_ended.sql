-- Of what came to no picture nobody in this service is told when its job ends: whoever asks for a place at the account
-- notes it once, and reads it no more. Somebody who says later what the request is called still finds it.
ALTER TABLE generations ADD COLUMN ended_at timestamptz;
DROP INDEX generations_open;
CREATE INDEX generations_open ON generations (provider)
    WHERE generated_at IS NULL AND let_go_at IS NULL AND ended_at IS NULL;

-- What is old is forgotten.
CREATE INDEX generations_by_age ON generations USING brin (asked_at);
