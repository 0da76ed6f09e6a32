-- The current maps of each asset, one row for each recipe. Keys are written once, so older rows' objects stay as they were.
CREATE TABLE depth_maps (
    asset_id        uuid        NOT NULL,
    recipe          text        NOT NULL,
    project_id      uuid        NOT NULL,
    subject_version integer     NOT NULL DEFAULT 1,
    maps            jsonb       NOT NULL,   -- depth, edges, preview, coloured: key, sha256, size; sidecar_key
    facts           jsonb       NOT NULL,   -- the sidecar's content
    mapped_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset_id, recipe)
);
CREATE INDEX depth_maps_by_project ON depth_maps (project_id, mapped_at);
