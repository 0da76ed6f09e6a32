-- What a service says and hears. Applied to the schema of every service.

-- Said in the transaction that made it true, and waiting to be published: small and hot.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  uuid   NOT NULL,
    routing_key text   NOT NULL,
    queue       text,          -- set: said again, to this queue alone
    job_id      uuid,
    body        bytea  NOT NULL,
    not_before  timestamptz    -- set: a queue refused it, so that it waits a little and others go first
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- What was published, so that it can be said again. Append-only; whole days are dropped.
CREATE TABLE said (
    said_at     timestamptz NOT NULL DEFAULT now(),
    message_id  uuid        NOT NULL,
    routing_key text        NOT NULL,
    job_id      uuid,
    body        bytea       NOT NULL
) PARTITION BY RANGE (said_at);
CREATE INDEX said_by_job  ON said (job_id);
CREATE INDEX said_by_time ON said (said_at, message_id);

-- Requests to say again to one queue what was said since a moment; worked off page by page.
CREATE TABLE replays (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text        NOT NULL,
    routing_keys text[]      NOT NULL,
    said_at      timestamptz NOT NULL,   -- the place that was reached
    message_id   uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- Messages that have already had their effect here.
CREATE TABLE inbox (
    message_id uuid        PRIMARY KEY,
    heard_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_by_time ON inbox USING brin (heard_at);

-- Messages that could not be read or taken in, with the reason.
CREATE TABLE dead_letters (
    id           uuid        PRIMARY KEY,
    received_at  timestamptz NOT NULL DEFAULT now(),
    message_id   text,
    message_type text,
    job_id       uuid,
    routing_key  text        NOT NULL,
    headers      jsonb       NOT NULL DEFAULT '{}',
    body         bytea       NOT NULL,
    code         text        NOT NULL,
    sentence     text        NOT NULL,
    redriven_at  timestamptz,
    discarded_at timestamptz
);
CREATE INDEX dead_letters_by_time ON dead_letters (received_at);
CREATE INDEX dead_letters_by_code ON dead_letters (code, received_at);

-- The mark binds this service's queue to this token: a queue without the mark was created anew.
CREATE TABLE bus_mark (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    token       uuid        NOT NULL DEFAULT gen_random_uuid(),
    -- When the message that was heard last had been said. May lag: replaying more than was missed is harmless.
    heard_until timestamptz NOT NULL DEFAULT now()
);
INSERT INTO bus_mark DEFAULT VALUES;

-- Only the owner may create and drop partitions; the running role asks through this function.
CREATE FUNCTION keep_said_partitions(retention_days integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day   date;
    stale record;
    holder record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('keep_said_partitions'), hashtext(current_schema()));
    FOREACH day IN ARRAY ARRAY[today - 1, today, today + 1, today + 2] LOOP
        IF to_regclass(format('said_%s', to_char(day, 'YYYYMMDD'))) IS NULL THEN
            EXECUTE format('CREATE TABLE said_%s PARTITION OF said FOR VALUES FROM (%L) TO (%L)',
                           to_char(day, 'YYYYMMDD'), day::timestamp AT TIME ZONE 'UTC',
                           (day + 1)::timestamp AT TIME ZONE 'UTC');
            -- Whoever may read `said` reads through it; rights of their own on its parts would be a way round it.
            FOR holder IN
                SELECT DISTINCT grantee FROM information_schema.role_table_grants
                WHERE table_schema = current_schema() AND table_name = format('said_%s', to_char(day, 'YYYYMMDD'))
                  AND grantee <> current_user
            LOOP
                EXECUTE format('REVOKE ALL ON said_%s FROM %I', to_char(day, 'YYYYMMDD'), holder.grantee);
            END LOOP;
        END IF;
    END LOOP;
    FOR stale IN
        SELECT child.relname
        FROM pg_inherits
        JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'said'::regclass
          AND child.relname ~ '^said_\d{8}$'
          AND to_date(substr(child.relname, 6), 'YYYYMMDD') < today - retention_days
    LOOP
        EXECUTE format('DROP TABLE %I', stale.relname);
    END LOOP;
END
$$;
SELECT keep_said_partitions(36500);
