-- What a learn job that ended without a word goes on from: the newest only, gone when the job is over.
CREATE TABLE job_checkpoint (
  job        INTEGER NOT NULL PRIMARY KEY REFERENCES job (id),
  bytes      BLOB    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- Somebody's word that nothing is to be learnt for now. until: NULL means until it is taken back.
CREATE TABLE learning_pause (
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  since  INTEGER NOT NULL,
  until  INTEGER,
  actor  TEXT    NOT NULL,
  reason TEXT    NOT NULL
) STRICT;
