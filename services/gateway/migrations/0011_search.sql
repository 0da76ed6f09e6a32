-- What images are found by: words, colours, and how they look. All of it is derived from what other tables hold, by
-- triggers, so that whoever writes there cannot forget it. Whoever does holds the lock of the writers, see `events`.
-- An image that is not shown has no row here, so that no search has to ask again whether it may show what it found.

ALTER TABLE descriptions ADD COLUMN embedding_origin text;
ALTER TABLE descriptions ADD COLUMN embedding halfvec;
-- Of an image that was generated this is the job that did it.
ALTER TABLE asset_sources ADD COLUMN parent_job_id uuid;

-- Words of any language: without accents, with English stems, and without stop words, for in other languages these are
-- words, and titles such as "The Who" consist of them.
CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION image_words (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION image_words
    ALTER MAPPING FOR asciiword, word, asciihword, hword, hword_asciipart, hword_part WITH unaccent, stems;

CREATE TABLE asset_search (
    asset_id   uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    width_px   integer     NOT NULL,
    height_px  integer     NOT NULL,
    size_bytes bigint      NOT NULL,
    kinds      text[]      NOT NULL,     -- ways in which it came: scraped, uploaded, generated
    hosts      text[]      NOT NULL,     -- where it was found, with all domains above; of the image and of its page
    words      tsvector    NOT NULL      -- A: title, B: tags, C: alt and caption, D: the prompt
);
CREATE INDEX asset_search_by_time  ON asset_search (project_id, created_at DESC, asset_id DESC);
CREATE INDEX asset_search_by_words ON asset_search USING gin (words) WITH (fastupdate = off);

-- The palettes. Places are OKLab colours whose chroma counts double, as media measures them; cells have sides of 0.05,
-- since behind row-level security only plain comparisons are answered from an index.
CREATE TABLE asset_colours (
    asset_id   uuid     NOT NULL REFERENCES asset_search (asset_id) ON DELETE CASCADE,
    position   smallint NOT NULL,
    project_id uuid     NOT NULL,
    cell       smallint NOT NULL,
    place      vector   NOT NULL,
    share      real     NOT NULL,
    PRIMARY KEY (asset_id, position)
);
CREATE INDEX asset_colours_by_cell ON asset_colours (project_id, cell) INCLUDE (asset_id, place, share);

-- Vectors of length one, in narrow rows: those of a project are compared one by one, which misses nothing.
CREATE TABLE asset_vectors (
    asset_id   uuid    NOT NULL REFERENCES asset_search (asset_id) ON DELETE CASCADE,
    origin     text    NOT NULL,
    project_id uuid    NOT NULL,
    embedding  halfvec NOT NULL,
    PRIMARY KEY (asset_id, origin)
);
CREATE INDEX asset_vectors_by_project ON asset_vectors (project_id, origin);

-- Parts of hashes and of the signs of vectors. Images that look alike have some part in common, and are compared.
CREATE TABLE asset_bands (
    asset_id   uuid    NOT NULL REFERENCES asset_search (asset_id) ON DELETE CASCADE,
    band       integer NOT NULL,
    project_id uuid    NOT NULL,
    PRIMARY KEY (asset_id, band)
);
CREATE INDEX asset_bands_by_band ON asset_bands (project_id, band) INCLUDE (asset_id);

-- Groups of images that look alike. An image joins the group of the one that it is nearest to when it is described, and
-- stays there, so that groups keep their names and their order.
CREATE TABLE near_duplicates (
    asset_id   uuid        PRIMARY KEY REFERENCES asset_search (asset_id) ON DELETE CASCADE,
    project_id uuid        NOT NULL,
    group_id   uuid        NOT NULL,     -- the image that was there first
    group_at   timestamptz NOT NULL,     -- since when that was there
    tier       text        CHECK (tier IN ('resized', 'similar')),    -- of the nearest one; null for the first
    at         timestamptz NOT NULL      -- since when the image is there
);
CREATE INDEX near_duplicates_by_group ON near_duplicates (project_id, group_at DESC, group_id DESC);

CREATE FUNCTION linear_level(hex text, start integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN encoded <= 0.04045 THEN encoded / 12.92 ELSE ((encoded + 0.055) / 1.055) ^ 2.4 END
    FROM (SELECT ('x' || substr(hex, start, 2))::bit(8)::integer / 255.0::double precision AS encoded) AS level
$$;

-- Where `#rrggbb` lies: OKLab (Björn Ottosson, 2020) with doubled chroma. The distance from black to white is 1.
CREATE FUNCTION colour_place(hex text) RETURNS vector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY[0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                 2 * (1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s),
                 2 * (0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s)]::vector
    FROM (SELECT cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) AS l,
                 cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) AS m,
                 cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) AS s
          FROM (SELECT linear_level(hex, 2) AS red, linear_level(hex, 4) AS green, linear_level(hex, 6) AS blue)
               AS light) AS cones
$$;

CREATE FUNCTION colour_cell(lightness integer, green_red integer, blue_yellow integer) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ((lightness * 32 + green_red + 16) * 32 + blue_yellow + 16)::smallint
$$;

CREATE FUNCTION cell_of_place(place vector) RETURNS smallint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT colour_cell(floor(at[1] / side)::integer, floor(at[2] / side)::integer, floor(at[3] / side)::integer)
    FROM (SELECT place::real[]::double precision[] AS at, 0.05::double precision AS side) AS centre
$$;

-- All cells that a ball around a place touches.
CREATE FUNCTION cells_around(place vector, distance double precision) RETURNS smallint[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    WITH centre AS (
        SELECT place::real[]::double precision[] AS at, 0.05::double precision AS side
    ), near AS (      -- along each axis: the step, and how far its nearer edge is from the centre
        SELECT axis, step, greatest(step * side - at[axis], 0, at[axis] - (step + 1) * side) AS apart
        FROM centre, generate_series(1, 3) AS axis,
             generate_series(floor((at[axis] - distance) / side)::integer,
                             floor((at[axis] + distance) / side)::integer) AS step
        WHERE step BETWEEN CASE axis WHEN 1 THEN 0 ELSE -16 END AND CASE axis WHEN 1 THEN 20 ELSE 15 END
    )
    SELECT array_agg(colour_cell(l.step, a.step, b.step) ORDER BY l.step, a.step, b.step)
    FROM near AS l JOIN near AS a ON a.axis = 2 JOIN near AS b ON b.axis = 3
    WHERE l.axis = 1
      AND l.apart * l.apart + a.apart * a.apart + b.apart * b.apart <= distance * distance + 0.000001::double precision
$$;

-- `cdn.example.org`, `example.org` and `org` of a URL.
CREATE FUNCTION hosts_of(url text) RETURNS SETOF text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_string(labels[part:], '.')
    FROM (SELECT string_to_array(lower(substring(url FROM '^[A-Za-z]+://([^/?#:]+)')), '.') AS labels) AS host,
         generate_series(1, cardinality(labels)) AS part
$$;

-- What two images are to each other: `bits` differ in their hashes; `similarity` is the cosine of their vectors. Copies
-- at other sizes or qualities lie at 0 to 4 bits and above 0.99, different pictures at 18 bits and below 0.5.
CREATE FUNCTION tier_of(similarity real, bits integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN bits <= 6 AND coalesce(similarity, 1) >= 0.97 THEN 'resized'
                WHEN similarity >= 0.86 OR (bits <= 4 AND similarity >= 0.5) THEN 'similar' END
$$;

CREATE FUNCTION hash_of(of_asset uuid) RETURNS bit(64) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ('x' || perceptual_hash)::bit(64) FROM descriptions
    WHERE asset_id = of_asset AND perceptual_hash IS NOT NULL ORDER BY at DESC, origin LIMIT 1
$$;

CREATE FUNCTION similarity_of(one uuid, other uuid) RETURNS real LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT least(1, max(-(mine.embedding <#> theirs.embedding)))::real
    FROM asset_vectors AS mine JOIN asset_vectors AS theirs USING (origin)
    WHERE mine.asset_id = one AND theirs.asset_id = other
      AND vector_dims(mine.embedding) = vector_dims(theirs.embedding)
$$;

-- Have an image join the group of the one that it is nearest to.
CREATE FUNCTION join_duplicates(newcomer uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
        INSERT INTO near_duplicates (asset_id, project_id, group_id, group_at, at)
        VALUES (nearest.asset_id, nearest.project_id, nearest.asset_id, nearest.created_at, nearest.created_at)
        ON CONFLICT DO NOTHING;
        INSERT INTO near_duplicates (asset_id, project_id, group_id, group_at, tier, at)
        SELECT newcomer, held.project_id, held.group_id, held.group_at, nearest.tier, shown.created_at
        FROM near_duplicates AS held, asset_search AS shown
        WHERE held.asset_id = nearest.asset_id AND shown.asset_id = newcomer
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- Derive anew how images look, of those that are shown.
CREATE FUNCTION refresh_looks(changed uuid[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM asset_colours WHERE asset_id = ANY (changed);
    INSERT INTO asset_colours (asset_id, position, project_id, cell, place, share)
    SELECT shown.asset_id, colour.position, shown.project_id, cell_of_place(place), place, (colour.named ->> 'share')::real
    FROM asset_search AS shown
    CROSS JOIN LATERAL (
        SELECT palette FROM descriptions
        WHERE asset_id = shown.asset_id AND palette <> '[]' ORDER BY at DESC, origin LIMIT 1
    ) AS described
    CROSS JOIN LATERAL jsonb_array_elements(described.palette) WITH ORDINALITY AS colour (named, position)
    CROSS JOIN LATERAL (SELECT colour_place(colour.named ->> 'hex') AS place OFFSET 0) AS lying
    WHERE shown.asset_id = ANY (changed);

    DELETE FROM asset_vectors WHERE asset_id = ANY (changed);
    INSERT INTO asset_vectors (asset_id, origin, project_id, embedding)
    SELECT shown.asset_id, described.embedding_origin, shown.project_id, l2_normalize(described.embedding)
    FROM asset_search AS shown JOIN descriptions AS described USING (asset_id)
    WHERE shown.asset_id = ANY (changed) AND described.embedding IS NOT NULL
    ORDER BY described.at DESC
    ON CONFLICT DO NOTHING;
END
$$;

-- Compare images with those that look like them, of which `refresh_looks` has told how they look.
CREATE FUNCTION refresh_duplicates(changed uuid[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    one uuid;
    hash bit(64);
BEGIN
    -- One after the other, so that also images which came together find each other.
    DELETE FROM asset_bands WHERE asset_id = ANY (changed);
    FOR one IN SELECT asset_id FROM asset_search WHERE asset_id = ANY (changed) ORDER BY created_at, asset_id LOOP
        hash := hash_of(one);
        INSERT INTO asset_bands (asset_id, band, project_id)
        SELECT one, part.number * 65536 + part.bits, shown.project_id
        FROM asset_search AS shown CROSS JOIN LATERAL (
            SELECT number, substring(hash FROM 1 + 16 * number FOR 16)::bit(16)::integer AS bits
            FROM generate_series(0, 3) AS number
            UNION ALL
            SELECT 16 + number, substring(signs FROM 1 + 12 * number FOR 12)::bit(12)::integer
            FROM (SELECT binary_quantize(embedding) AS signs FROM asset_vectors
                  WHERE asset_id = one ORDER BY origin LIMIT 1) AS vector,
                 generate_series(0, least(11, length(signs) / 12 - 1)) AS number
        ) AS part
        WHERE shown.asset_id = one AND part.bits IS NOT NULL;
        IF NOT EXISTS (SELECT FROM near_duplicates WHERE asset_id = one) THEN
            PERFORM join_duplicates(one);
        END IF;
    END LOOP;
END
$$;

-- Derive anew what images are found by.
CREATE FUNCTION refresh_search(changed uuid[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    appeared uuid[];
BEGIN
    -- As `VISIBLE` has it, in the gateway's store.
    DELETE FROM asset_search WHERE asset_id = ANY (changed) AND NOT EXISTS (
        SELECT FROM assets AS asset WHERE asset.id = asset_id
        AND asset.deleted_at IS NULL AND (asset.deleting_job_id IS NULL OR EXISTS (
            SELECT FROM jobs WHERE jobs.id = asset.deleting_job_id AND jobs.state IN ('failed', 'cancelled'))));
    WITH written AS (
        INSERT INTO asset_search AS held (
            asset_id, project_id, created_at, width_px, height_px, size_bytes, kinds, hosts, words)
        SELECT asset.id, asset.project_id, asset.created_at, coalesce(asset.width_px, 0), coalesce(asset.height_px, 0),
               coalesce(asset.size_bytes, 0),
               coalesce(come.kinds, '{}'), coalesce(come.hosts, '{}'),
               setweight(to_tsvector('image_words', coalesce(edit.title, asset.context ->> 'title', '')), 'A')
               || setweight(to_tsvector('image_words', coalesce(tagged.tags, '')), 'B')
               || setweight(to_tsvector('image_words', coalesce(edit.alt, asset.context ->> 'alt', '')), 'C')
               || setweight(to_tsvector('image_words', coalesce(edit.caption, asset.context ->> 'caption', '')), 'C')
               || setweight(to_tsvector('image_words', coalesce(come.prompt, '')), 'D')
        FROM assets AS asset
        LEFT JOIN image_edits AS edit ON edit.asset_id = asset.id
        LEFT JOIN LATERAL (
            SELECT string_agg(tag, ', ' ORDER BY tag) AS tags FROM image_tags WHERE asset_id = asset.id
        ) AS tagged ON true
        LEFT JOIN LATERAL (
            SELECT array_agg(DISTINCT way.kind ORDER BY way.kind) AS kinds,
                   array_agg(DISTINCT host) FILTER (WHERE host IS NOT NULL) AS hosts,
                   max(generating.request ->> 'description') AS prompt
            FROM asset_sources AS source
            LEFT JOIN jobs AS generating ON generating.id = source.parent_job_id
                  AND generating.kind = 'image_generation.generate_image.v1'
            CROSS JOIN LATERAL (
                SELECT CASE WHEN source.source_url IS NOT NULL THEN 'scraped'
                            WHEN generating.id IS NOT NULL THEN 'generated'
                            ELSE 'uploaded' END AS kind
            ) AS way
            LEFT JOIN LATERAL (
                SELECT hosts_of(source.source_url) AS host
                UNION SELECT hosts_of(asset.context ->> 'page_url')
            ) AS place ON true
            WHERE source.asset_id = asset.id
        ) AS come ON true
        WHERE asset.id = ANY (changed) AND asset.deleted_at IS NULL AND asset.sha256 IS NOT NULL
          AND (asset.deleting_job_id IS NULL OR EXISTS (
              SELECT FROM jobs WHERE jobs.id = asset.deleting_job_id AND jobs.state IN ('failed', 'cancelled')))
        ON CONFLICT (asset_id) DO UPDATE
        SET created_at = excluded.created_at, width_px = excluded.width_px, height_px = excluded.height_px,
            size_bytes = excluded.size_bytes, kinds = excluded.kinds, hosts = excluded.hosts, words = excluded.words
        WHERE (held.created_at, held.width_px, held.height_px, held.size_bytes, held.kinds, held.hosts, held.words)
              IS DISTINCT FROM (excluded.created_at, excluded.width_px, excluded.height_px, excluded.size_bytes,
                                excluded.kinds, excluded.hosts, excluded.words)
        RETURNING asset_id, xmax = 0 AS is_new
    )
    SELECT array_agg(asset_id) FILTER (WHERE is_new) INTO appeared FROM written;
    -- Most images appear before they are described.
    IF EXISTS (SELECT FROM descriptions WHERE asset_id = ANY (appeared)) THEN
        PERFORM refresh_looks(appeared), refresh_duplicates(appeared);
    END IF;
END
$$;

-- `changed` are the rows that a statement wrote; the argument is the column that names their images.
CREATE FUNCTION search_follows() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    ids uuid[];
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT %I) FROM changed WHERE %1$I IS NOT NULL', TG_ARGV[0]) INTO ids;
    IF ids IS NOT NULL AND TG_TABLE_NAME = 'descriptions' THEN
        PERFORM refresh_looks(ids), refresh_duplicates(ids);
    ELSIF ids IS NOT NULL THEN
        PERFORM refresh_search(ids);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION search_follows_deletion() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM refresh_search(array_agg(id)) FROM assets WHERE deleting_job_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_follows_deletion AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.kind = 'media.delete_media.v1' AND NEW.state IS DISTINCT FROM OLD.state)
    EXECUTE FUNCTION search_follows_deletion();

DO $$
DECLARE
    written text[];
BEGIN
    FOREACH written SLICE 1 IN ARRAY ARRAY[
        -- Whoever inserts an asset says next where it comes from.
        ['assets', 'id', 'UPDATE', 'NEW'], ['assets', 'id', 'DELETE', 'OLD'],
        ['asset_sources', 'asset_id', 'INSERT', 'NEW'],
        ['descriptions', 'asset_id', 'INSERT', 'NEW'], ['descriptions', 'asset_id', 'UPDATE', 'NEW'],
        ['image_edits', 'asset_id', 'INSERT', 'NEW'], ['image_edits', 'asset_id', 'UPDATE', 'NEW'],
        ['image_edits', 'asset_id', 'DELETE', 'OLD'],
        ['image_tags', 'asset_id', 'INSERT', 'NEW'], ['image_tags', 'asset_id', 'DELETE', 'OLD']
    ] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %I REFERENCING %s TABLE AS changed'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION search_follows(%L)',
                       'search_follows_' || lower(written[3]), written[3], written[1], written[4], written[2]);
    END LOOP;
END
$$;

-- It only reads a setting. Without this, behind the walls no statement would be worked on by several processes.
ALTER FUNCTION named_projects() PARALLEL SAFE;

-- What was there before; the owner of the tables sees nothing as long as the walls hold him, too.
DO $$
DECLARE
    held text[] := ARRAY['assets', 'asset_sources', 'descriptions', 'image_edits', 'image_tags', 'jobs'];
    name text;
BEGIN
    FOREACH name IN ARRAY held LOOP
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', name);
    END LOOP;
    UPDATE asset_sources SET parent_job_id = jobs.parent_id FROM jobs WHERE jobs.id = asset_sources.job_id;
    PERFORM refresh_search(array_agg(id)) FROM assets;
    FOREACH name IN ARRAY held LOOP
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['asset_search', 'asset_colours', 'asset_vectors', 'asset_bands', 'near_duplicates'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenants ON %I TO gateway'
                       ' USING (project_id = ANY ((SELECT named_projects())::uuid[]))'
                       ' WITH CHECK (project_id = ANY ((SELECT named_projects())::uuid[]))', name);
        EXECUTE format('CREATE POLICY projections ON %I TO gateway_projection USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
