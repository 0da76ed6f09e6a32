-- What a request costs and whose it is; when a provider told that it did not take it, or gave up on it, it is let go and
-- may be made again. `kept` is what came with the answer itself, which nobody could ask for a second time.
ALTER TABLE generations
    ADD COLUMN submitted_by text,
    ADD COLUMN price_micros bigint,
    ADD COLUMN width_px     integer,
    ADD COLUMN height_px    integer,
    ADD COLUMN samples      integer,
    ADD COLUMN let_go_at    timestamptz,
    ADD COLUMN failures     integer NOT NULL DEFAULT 0,
    ADD COLUMN kept         jsonb;
CREATE INDEX generations_open    ON generations (provider) WHERE generated_at IS NULL AND let_go_at IS NULL;
CREATE INDEX generations_of_day  ON generations (asked_at) INCLUDE (submitted_by, price_micros)
    WHERE paid AND let_go_at IS NULL;
CREATE INDEX generations_by_pace ON generations (provider, width_px, height_px, samples, generated_at DESC)
    WHERE generated_at IS NOT NULL;

-- How it stands with an account at a provider, for all replicas. While `closed_until` lies ahead nobody asks. Once it has
-- passed, whoever comes first asks and moves it on; the others wait until that request is taken, which clears the row.
CREATE TABLE accounts (
    provider     text        PRIMARY KEY,
    failures     integer     NOT NULL DEFAULT 0,
    reason       text        NOT NULL,
    closed_until timestamptz,
    probed_by    uuid
);
