-- One row for each question to a service that is paid, written before it is asked, so that nothing is paid for twice.
CREATE TABLE paid_looks (
    job_id   uuid        PRIMARY KEY,
    origin   text        NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
