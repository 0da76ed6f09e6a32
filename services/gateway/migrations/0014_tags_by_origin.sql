-- What those who describe an image say that it shows; each origin for itself, so that another one never takes it away.
ALTER TABLE descriptions ADD COLUMN tags jsonb NOT NULL DEFAULT '[]';
ALTER TABLE descriptions ADD COLUMN objects jsonb NOT NULL DEFAULT '[]';
ALTER TABLE descriptions ADD COLUMN caption jsonb;
