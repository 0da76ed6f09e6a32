-- From now on `redriven_as` is set with the letter: a delivery that is taken in settles all letters of its message.
UPDATE dead_letters SET redriven_as = message_id::uuid
WHERE redriven_as IS NULL AND code <> 'unroutable'
  AND message_id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

-- What is under way is delivered again when the queue is lost.
CREATE INDEX dead_letters_redriving ON dead_letters (received_at)
    WHERE redriven_at IS NOT NULL AND outcome IS NULL AND discarded_at IS NULL;
