-- The second wall: a request sees only the rows of the projects that its transaction names, whatever its SQL says.
-- FORCE holds the owner to it too. Only the projections, which no request reaches, see everything.

CREATE FUNCTION named_projects() RETURNS uuid[] LANGUAGE sql STABLE AS
    $$ SELECT string_to_array(nullif(current_setting('diorama.projects', true), ''), ',')::uuid[] $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'projects', 'members', 'jobs', 'job_children', 'events', 'assets', 'asset_sources', 'descriptions', 'maps',
        'found_images', 'scraped_pages', 'rejections', 'image_generations', 'scene_media', 'idempotency_keys'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        -- The subselect is evaluated once for a statement, not once for a row.
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (%I = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (%2$I = ANY ((SELECT named_projects())::uuid[]))',
                       name, CASE name WHEN 'projects' THEN 'id' ELSE 'project_id' END);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

-- Whose projects those are is read before any project can be named.
CREATE POLICY own_memberships ON members FOR SELECT TO gateway
    USING (user_id = (SELECT current_setting('diorama.user', true)));

-- Messages hold rows of every tenant: a request may say, never read what was said or heard.
REVOKE SELECT, UPDATE, DELETE ON outbox FROM gateway;
REVOKE ALL ON said, replays, inbox, dead_letters, bus_mark, schema_migrations FROM gateway;

-- What it deletes, nobody can say again: that is for housekeeping alone.
REVOKE EXECUTE ON FUNCTION keep_said_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_said_partitions(integer) TO gateway_projection;
