-- A backup reads all tables for as long as it takes. Whoever waited for it to make or drop a part of `said` would keep
-- everybody from publishing meanwhile: a new part is made by itself and then attached, which nobody has to wait for,
-- and an old one is dropped another time where somebody reads it.
CREATE OR REPLACE FUNCTION keep_said_partitions(retention_days integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day   date;
    part  text;
    stale record;
    holder record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('keep_said_partitions'), hashtext(current_schema()));
    FOREACH day IN ARRAY ARRAY[today - 1, today, today + 1, today + 2] LOOP
        part := format('said_%s', to_char(day, 'YYYYMMDD'));
        IF to_regclass(part) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE said INCLUDING DEFAULTS)', part);
            -- Whoever may read `said` reads through it; rights of their own on its parts would be a way round it.
            FOR holder IN
                SELECT DISTINCT grantee FROM information_schema.role_table_grants
                WHERE table_schema = current_schema() AND table_name = part AND grantee <> current_user
            LOOP
                EXECUTE format('REVOKE ALL ON %I FROM %I', part, holder.grantee);
            END LOOP;
            EXECUTE format('ALTER TABLE said ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
                           day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
    PERFORM set_config('lock_timeout', '300ms', true);
    FOR stale IN
        SELECT child.relname
        FROM pg_inherits
        JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'said'::regclass
          AND child.relname ~ '^said_\d{8}$'
          AND to_date(substr(child.relname, 6), 'YYYYMMDD') < today - retention_days
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', stale.relname);
        EXCEPTION WHEN lock_not_available THEN
            RAISE LOG '% is dropped later', stale.relname;
        END;
    END LOOP;
END
$$;
