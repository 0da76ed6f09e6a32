-- What all processes know together of each host that files are downloaded from, and who has how many places at it.
CREATE TABLE hosts (
    host          text             PRIMARY KEY,
    version       bigint           NOT NULL,   -- a change names the one that it has seen, so that none is lost
    next_at       timestamptz      NOT NULL,   -- when the next download may begin
    delay_seconds double precision NOT NULL,   -- between two of them
    blocks        integer          NOT NULL,   -- in a row, without any other answer in between
    blocked_by    text,                        -- the code of the last one
    open_until    timestamptz,                 -- nobody asks before; null: the breaker is closed
    open_seconds  double precision NOT NULL,   -- how long it stays open, or stood open last
    probe_until   timestamptz,                 -- one download tries whether the host answers again; others wait so long
    shares        jsonb            NOT NULL,   -- by process: its places, how many it wants, until when (in seconds
                                               -- since 1970), and since when it waits or was let in last
    changed_at    timestamptz      NOT NULL DEFAULT now()
) WITH (fillfactor = 70);                      -- so that a change, of which there are many, stays on its page
