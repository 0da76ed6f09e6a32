-- Of the latest description of an asset: it can be described again without being stored again. Never lower than before,
-- also where the asset was deleted and stored again in between.
ALTER TABLE assets ADD COLUMN described_version integer NOT NULL DEFAULT 1;
UPDATE assets SET described_version = subject_version;
