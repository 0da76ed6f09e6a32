-- What people have decided of maps, one row for the maps of each recipe: the decision with the highest number holds. It is
-- about the maps of one version; of maps that were drawn anew since, nothing is decided.
CREATE TABLE map_reviews (
    asset_id    uuid        NOT NULL,
    recipe      text        NOT NULL,
    project_id  uuid        NOT NULL,
    decision    integer     NOT NULL,
    map_version integer     NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('approved', 'rejected', 'unreviewed')),
    reasons     text[]      NOT NULL DEFAULT '{}',
    note        text,
    reviewed_by text        NOT NULL,
    reviewed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset_id, recipe)
);
