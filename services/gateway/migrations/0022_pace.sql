-- How long pictures take is learnt from those of one's own projects, however many others there are.
DROP INDEX pictures_by_pace;
DROP INDEX pictures_by_time;
DROP INDEX pictures_by_project;
CREATE INDEX pictures_by_pace ON pictures (project_id, provider, aspect_ratio, samples, generated_at DESC)
    WHERE sample = 0;
CREATE INDEX pictures_by_project ON pictures (project_id, generated_at DESC);
