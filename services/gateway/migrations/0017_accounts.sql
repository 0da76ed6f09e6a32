-- For every URL that was seen in a crawl or an import, what is known of it. Of images that were found, what media made
-- of them lies elsewhere.
CREATE TABLE url_lines (
    source_job_id uuid        NOT NULL,
    kind          text        NOT NULL,
    digest        bytea       NOT NULL,           -- of the URL
    url           text        NOT NULL,
    outcome       text        NOT NULL,
    -- What was asked once more and read counts, in whatever order it is heard.
    standing      integer     NOT NULL GENERATED ALWAYS AS (
                      CASE outcome WHEN 'skipped' THEN 0 WHEN 'refused' THEN 1 WHEN 'duplicate' THEN 2 ELSE 3 END) STORED,
    code          text,
    sentence      text,
    found_on      text,
    fetch_job_id  uuid,                           -- under which media fetches an image
    project_id    uuid        NOT NULL,
    at            timestamptz NOT NULL,
    seen_number   bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (source_job_id, kind, digest)
);
CREATE INDEX url_lines_in_order ON url_lines (source_job_id, seen_number);

ALTER TABLE url_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE url_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants ON url_lines TO gateway
    USING (project_id = ANY ((SELECT named_projects())::uuid[]))
    WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]));
CREATE POLICY operators ON url_lines TO gateway
    USING ((SELECT is_operator())) WITH CHECK ((SELECT is_operator()));
CREATE POLICY projections ON url_lines TO gateway_projection USING (true) WITH CHECK (true);
