-- When it was last asked about. What its worker answered before is no answer to that question.
ALTER TABLE jobs ADD COLUMN asked_at timestamptz;
