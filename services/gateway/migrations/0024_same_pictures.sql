-- Which images of a group are one picture at other sizes or qualities: a group of images that look alike may hold several
-- such pictures, of which each has its copies.
ALTER TABLE near_duplicates ADD COLUMN picture_id uuid;          -- the image of it that was there first
ALTER TABLE near_duplicates ADD COLUMN picture_at timestamptz;   -- since when that was there

-- Have an image join the group of the one that it is nearest to, and where both are one picture that one's picture.
CREATE OR REPLACE FUNCTION join_duplicates(newcomer uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own_hash bit(64) := hash_of(newcomer);
    own record;
    nearest record;
BEGIN
    SELECT origin, embedding, vector_dims(embedding) AS dimensions INTO own
    FROM asset_vectors WHERE asset_id = newcomer ORDER BY origin LIMIT 1;
    SELECT other.asset_id, other.project_id, other.created_at, pair.tier INTO nearest
    FROM (
        SELECT alike.asset_id,
               (SELECT -(theirs.embedding <#> own.embedding)::real FROM asset_vectors AS theirs
                WHERE theirs.asset_id = alike.asset_id AND theirs.origin = own.origin
                  AND vector_dims(theirs.embedding) = own.dimensions) AS similarity
        FROM (
            SELECT DISTINCT near.asset_id FROM asset_bands AS mine CROSS JOIN LATERAL (
                SELECT theirs.asset_id FROM asset_bands AS theirs
                WHERE theirs.project_id = mine.project_id AND theirs.band = mine.band AND theirs.asset_id <> newcomer
                LIMIT 200
            ) AS near
            WHERE mine.asset_id = newcomer
        ) AS alike
        OFFSET 0
    ) AS candidate
    -- Below that no hash makes a difference: see `tier_of`.
    CROSS JOIN LATERAL (
        SELECT bit_count(own_hash # hash_of(candidate.asset_id))::integer AS bits
        WHERE coalesce(candidate.similarity, 1) >= 0.5 OFFSET 0
    ) AS hashed
    CROSS JOIN LATERAL (SELECT tier_of(candidate.similarity, hashed.bits) AS tier) AS pair
    JOIN asset_search AS other ON other.asset_id = candidate.asset_id
    WHERE pair.tier IS NOT NULL
    ORDER BY pair.tier, candidate.similarity DESC NULLS LAST, hashed.bits, other.created_at, other.asset_id LIMIT 1;
    IF FOUND THEN
        INSERT INTO near_duplicates (asset_id, project_id, group_id, group_at, at, picture_id, picture_at)
        VALUES (nearest.asset_id, nearest.project_id, nearest.asset_id, nearest.created_at, nearest.created_at,
                nearest.asset_id, nearest.created_at)
        ON CONFLICT DO NOTHING;
        INSERT INTO near_duplicates (asset_id, project_id, group_id, group_at, tier, at, picture_id, picture_at)
        SELECT newcomer, held.project_id, held.group_id, held.group_at, nearest.tier, shown.created_at,
               CASE nearest.tier WHEN 'resized' THEN held.picture_id ELSE newcomer END,
               CASE nearest.tier WHEN 'resized' THEN held.picture_at ELSE shown.created_at END
        FROM near_duplicates AS held, asset_search AS shown
        WHERE held.asset_id = nearest.asset_id AND shown.asset_id = newcomer
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- Of those that are in groups already each joins the nearest one before it with which it is one picture.
ALTER TABLE near_duplicates NO FORCE ROW LEVEL SECURITY;
ALTER TABLE asset_vectors   NO FORCE ROW LEVEL SECURITY;
ALTER TABLE descriptions    NO FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    one record;
    nearest record;
BEGIN
    FOR one IN SELECT asset_id, group_id, tier, at FROM near_duplicates ORDER BY tier IS NOT NULL, at, asset_id LOOP
        SELECT other.picture_id, other.picture_at INTO nearest
        FROM near_duplicates AS other CROSS JOIN LATERAL (
            SELECT similarity_of(one.asset_id, other.asset_id) AS similarity,
                   bit_count(hash_of(one.asset_id) # hash_of(other.asset_id))::integer AS bits OFFSET 0
        ) AS measured
        WHERE one.tier = 'resized' AND other.group_id = one.group_id AND other.picture_id IS NOT NULL
          AND tier_of(similarity, bits) = 'resized'
        ORDER BY similarity DESC NULLS LAST, bits, other.at, other.asset_id LIMIT 1;
        UPDATE near_duplicates
        SET picture_id = coalesce(nearest.picture_id, one.asset_id), picture_at = coalesce(nearest.picture_at, one.at)
        WHERE asset_id = one.asset_id;
    END LOOP;
END
$$;
ALTER TABLE descriptions    FORCE ROW LEVEL SECURITY;
ALTER TABLE asset_vectors   FORCE ROW LEVEL SECURITY;
ALTER TABLE near_duplicates FORCE ROW LEVEL SECURITY;

ALTER TABLE near_duplicates ALTER COLUMN picture_id SET NOT NULL;
ALTER TABLE near_duplicates ALTER COLUMN picture_at SET NOT NULL;
CREATE INDEX near_duplicates_by_picture ON near_duplicates (project_id, picture_at DESC, picture_id DESC);
