-- Whether a step of a crawl waits or runs is asked of each crawl in which URLs wait, again and again.
CREATE INDEX tasks_of_crawls ON tasks ((command ->> 'crawl_job_id'), state)
    WHERE command ->> 'crawl_job_id' IS NOT NULL;
