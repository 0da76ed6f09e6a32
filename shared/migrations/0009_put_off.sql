-- What a queue has refused is found without looking at all that waits.
CREATE INDEX outbox_put_off ON outbox (not_before) WHERE not_before IS NOT NULL;
