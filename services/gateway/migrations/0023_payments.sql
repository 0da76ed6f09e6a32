-- What requests for pictures may have cost, whatever became of their jobs: as image generation counts it against the
-- budget of a day. They stay when their project is deleted, for they were paid for.
CREATE TABLE payments (
    task_id         uuid        PRIMARY KEY,
    project_id      uuid        NOT NULL,
    submitted_by    text        NOT NULL,
    subject_version integer     NOT NULL,
    provider        text,                      -- null: so far it was only heard that nothing is paid
    samples         integer     NOT NULL DEFAULT 1,
    cost_micros     bigint,                    -- of each picture; null: nobody knows the price
    asked_at        timestamptz NOT NULL,
    waived          boolean     NOT NULL,
    instead_of      uuid,                      -- the job with whose request this one goes on
    -- What of it is counted in `usage_days`: where no picture came of it, for pictures tell themselves what they cost.
    counted_micros  bigint      NOT NULL DEFAULT 0,
    counted_calls   integer     NOT NULL DEFAULT 0,
    uncounted       boolean     NOT NULL DEFAULT true   -- something was told of it since
);
CREATE INDEX payments_by_day     ON payments (asked_at) WHERE NOT waived;
CREATE INDEX payments_uncounted  ON payments (task_id) WHERE uncounted;
CREATE INDEX payments_instead_of ON payments (instead_of) WHERE instead_of IS NOT NULL;
-- What nobody has told the cost of before it was drawn counts by its pictures.
CREATE INDEX pictures_by_cost    ON pictures (generated_at) WHERE cost_micros > 0;

ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE payments FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants ON payments TO gateway
    USING (project_id = ANY ((SELECT named_projects())::uuid[]))
    WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]));
CREATE POLICY operators ON payments TO gateway
    USING ((SELECT is_operator())) WITH CHECK ((SELECT is_operator()));
CREATE POLICY projections ON payments TO gateway_projection USING (true) WITH CHECK (true);
