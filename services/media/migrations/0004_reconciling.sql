-- What is compared of rows and objects: one part a time, by the first two digits of the hash.
CREATE TABLE reconciled_parts (
    part      smallint    PRIMARY KEY CHECK (part BETWEEN 0 AND 255),
    looked_at timestamptz NOT NULL
);

-- Objects that hold bytes of which no row knows. They go a day after they were seen, unless they are stored again; that
-- they went stays for a week, for whoever has stored them and has not yet recorded it.
CREATE TABLE orphans (
    key        text        PRIMARY KEY,
    sha256     text        NOT NULL,      -- that the key names
    size_bytes bigint      NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz               -- its deletion was begun, and has ended by then for certain
);
CREATE INDEX orphans_by_sha256 ON orphans (sha256);
CREATE INDEX orphans_by_time ON orphans (seen_at) WHERE settled_at IS NULL;

-- Objects that rows name, and that are not there.
CREATE TABLE missing_objects (
    key     text        PRIMARY KEY,
    sha256  text        NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX missing_objects_by_sha256 ON missing_objects (sha256);

-- Who still refers to bytes is asked before they go, whatever their count says.
CREATE INDEX assets_by_bytes ON assets (sha256) WHERE deleted_at IS NULL;
