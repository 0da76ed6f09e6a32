-- What a worker needs to say rightly what its jobs wait for.

-- The other side asked for patience: the job waits for a limit, and the attempt was not used up.
ALTER TABLE tasks ADD COLUMN limited boolean NOT NULL DEFAULT false;

-- When the pause or its end was said: of two that overtake each other the later one holds. An ended pause stays, expired.
ALTER TABLE pauses ADD COLUMN said_at timestamptz NOT NULL DEFAULT now();
