-- What became of dead letters that were delivered once more or given up.

ALTER TABLE dead_letters ADD COLUMN redriven_as uuid;      -- the message's id, by which its new delivery is recognised
ALTER TABLE dead_letters ADD COLUMN redriven_by text;
ALTER TABLE dead_letters ADD COLUMN outcome text;          -- taken_in, said_again or dead_again; null: not known yet
ALTER TABLE dead_letters ADD COLUMN discarded_by text;
CREATE INDEX dead_letters_redriven ON dead_letters (redriven_as) WHERE redriven_as IS NOT NULL;
