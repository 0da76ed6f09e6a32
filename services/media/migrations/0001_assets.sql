-- Bytes, stored once however many projects hold them.
CREATE TABLE blobs (
    sha256       text        PRIMARY KEY,
    size_bytes   bigint      NOT NULL,
    original_key text        NOT NULL,
    facts        jsonb       NOT NULL,   -- what decoding found: type, size, renditions, thumbhash, palette, hash
    asset_count  integer     NOT NULL DEFAULT 0,
    condemned_at timestamptz            -- nobody refers to it: goes after 24 h, unless it is stored again
);
CREATE INDEX blobs_condemned ON blobs (condemned_at) WHERE condemned_at IS NOT NULL;

-- What a project holds. A deleted asset stays as a tombstone, so that a late fact cannot bring it back.
CREATE TABLE assets (
    id              uuid        PRIMARY KEY,   -- derived from project and bytes
    project_id      uuid        NOT NULL,
    sha256          text        NOT NULL,      -- of a blob; a tombstone outlives its bytes
    subject_version integer     NOT NULL DEFAULT 1,
    source_url      text,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
CREATE INDEX assets_by_project ON assets (project_id, stored_at);
