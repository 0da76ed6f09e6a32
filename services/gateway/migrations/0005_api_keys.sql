-- Credentials beside the tokens of users: keys of machines, and tickets that open one stream.

CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name         text        NOT NULL,
    scopes       text[]      NOT NULL CHECK (scopes <@ ARRAY['read', 'write', 'manage', 'operate']),
    digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),   -- SHA-256 of the whole key
    created_by   text        NOT NULL,      -- whose rights it has, and never more than those
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,               -- to the minute
    revoked_at   timestamptz,
    revoked_by   text                       -- null where it ended with its maker's membership
);
CREATE INDEX api_keys_by_time ON api_keys (project_id, created_at DESC, id DESC);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE tickets (
    digest     bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),  -- SHA-256 of the whole ticket
    user_id    text        NOT NULL,
    principal  jsonb       NOT NULL,        -- as who the stream will be followed
    expires_at timestamptz NOT NULL
);
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

-- What the transaction has been shown, by its digest: whoever holds a secret finds its row, before any project or user
-- is known, and nobody else's.
CREATE FUNCTION presented_digest() RETURNS bytea LANGUAGE sql STABLE AS
    $$ SELECT decode(nullif(current_setting('diorama.presented', true), ''), 'hex') $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_keys', 'tickets'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CREATE POLICY tenants ON api_keys TO gateway
    USING (project_id = ANY ((SELECT named_projects())::uuid[]))
    WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]));
CREATE POLICY presented ON api_keys FOR SELECT TO gateway
    USING (digest = (SELECT presented_digest()));
CREATE POLICY presented ON tickets TO gateway
    USING (digest = (SELECT presented_digest()))
    WITH CHECK (user_id = (SELECT current_setting('diorama.user', true)));

-- A key ends for good with its maker's membership: should he come back, he makes another one.
CREATE FUNCTION revoke_keys_of_member() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE api_keys SET revoked_at = now()
    WHERE project_id = OLD.project_id AND created_by = OLD.user_id AND revoked_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER keys_end_with_membership AFTER DELETE ON members
    FOR EACH ROW EXECUTE FUNCTION revoke_keys_of_member();
