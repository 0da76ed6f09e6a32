-- What media has said last of assets that were deleted at some time. Maps of those that still are, and that nobody has
-- stored again for two days, go with all that was ever drawn of them.
CREATE TABLE deletions (
    asset_id        uuid        PRIMARY KEY,
    subject_version integer     NOT NULL,   -- of the asset, as media counts
    condemned_at    timestamptz             -- none where it is there again, or where its maps are gone
);
CREATE INDEX deletions_condemned ON deletions (condemned_at) WHERE condemned_at IS NOT NULL;

-- Versions of maps that are drawn of an asset that comes back go on from there.
ALTER TABLE depth_maps ADD COLUMN removed_at timestamptz;
