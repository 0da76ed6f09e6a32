-- Of what came to no picture nobody in this service is told when its job ends: whoever asks for a place at the account
-- notes it once, and reads it no more. Somebody who says later what the request is called still finds it.
ALTER TABLE generations ADD COLUMN ended_at timestamptz;
-- `generations_open` stays for the version before, which runs beside this one and would read all that was ever drawn.
CREATE INDEX generations_on_their_way ON generations (provider)
    WHERE generated_at IS NULL AND let_go_at IS NULL AND ended_at IS NULL;

-- What is old is forgotten.
CREATE INDEX generations_by_age ON generations USING brin (asked_at);
