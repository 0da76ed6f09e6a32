-- The job that goes on with a request which was paid for, once somebody outside has said what it is called.
ALTER TABLE generations ADD COLUMN taken_over_by uuid;
