-- Surface normals that lie beside a depth map, where they were drawn: key, sha256, size_bytes, width_px, height_px.
ALTER TABLE maps ADD COLUMN normals jsonb;
