-- What is handed out in place of an original, which may tell where it was taken: key, content_type, size_bytes, sha256,
-- lossless. Of what was stored before there were any, nothing is handed out but its renditions.
ALTER TABLE assets ADD COLUMN clean_copy jsonb;
