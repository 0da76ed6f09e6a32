-- What all processes know together of each host that is asked for pages.
CREATE TABLE hosts (
    host          text             PRIMARY KEY,
    version       bigint           NOT NULL,   -- a change names the one that it has seen, so that none is lost
    next_at       timestamptz      NOT NULL,   -- when the next request may begin
    delay_seconds double precision NOT NULL,   -- between two requests, as the host bears it
    blocks        integer          NOT NULL,   -- in a row, without any other answer in between
    blocked_by    text,                        -- the code of the last one
    open_until    timestamptz,                 -- nobody asks before; null: the breaker is closed
    open_seconds  double precision NOT NULL,   -- how long it stays open, or stood open last
    probe_until   timestamptz,                 -- one request tries whether the host answers again; others wait so long
    changed_at    timestamptz      NOT NULL DEFAULT now()
);
CREATE INDEX hosts_by_change ON hosts (changed_at);

-- What each origin told robots.
CREATE TABLE robots (
    origin     text        PRIMARY KEY,
    digest     bytea,                          -- of the rules, so that they are read once and not with each page
    rules      text,                           -- empty where there is no robots.txt; null where none was ever told
    told_at    timestamptz,
    failure    text,                           -- the code of why the site could not tell when it was asked last
    expires_at timestamptz NOT NULL
);
CREATE INDEX robots_by_expiry ON robots (expires_at);

-- Which version of a page each project has seen.
CREATE TABLE validators (
    project_id    uuid        NOT NULL,
    url           text        NOT NULL,
    recipe        text        NOT NULL,        -- of the children that were made of it
    etag          text,
    last_modified text,
    title         text,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, url)
);
CREATE INDEX validators_by_age ON validators (seen_at);
