-- How much of each window has been handed out to the gateways; what they do with it they know themselves.
-- Nothing here needs to outlive a crash, so that a slice costs no wait for the disk.
CREATE UNLOGGED TABLE rate_limits (
    key     text COLLATE "C" PRIMARY KEY,   -- the class of routes, the user and the limit
    quota   bigint      NOT NULL,
    taken   bigint      NOT NULL,           -- of the quota, by all gateways together
    slice   bigint      NOT NULL,           -- what the last one to ask was given
    ends_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- No request reaches it: the gateway asks as the role that its projections have.
ALTER TABLE rate_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE rate_limits FORCE ROW LEVEL SECURITY;
CREATE POLICY projections ON rate_limits TO gateway_projection USING (true) WITH CHECK (true);
REVOKE ALL ON rate_limits FROM gateway;
