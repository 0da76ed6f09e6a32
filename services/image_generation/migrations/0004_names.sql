-- A name that somebody says a request has is held against those that are known already.
CREATE INDEX generations_by_name ON generations (provider, request_id) WHERE request_id IS NOT NULL;
