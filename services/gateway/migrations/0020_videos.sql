-- What is known of an asset that moves: container, duration_seconds, frame_rate, codecs, rotation_degrees and tracks, as
-- media says it. Null for a still.
ALTER TABLE assets ADD COLUMN video jsonb;
CREATE INDEX assets_videos ON assets (project_id, created_at DESC, id DESC) WHERE video IS NOT NULL;
