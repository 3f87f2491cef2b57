-- Answers to requests that came with an Idempotency-Key, kept for a day. id = SHA-256(caller, route, key); body is the
-- digest of the request's. status NULL: begun, and not answered.
CREATE TABLE answer (
  number     INTEGER NOT NULL PRIMARY KEY,
  id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 32),
  caller     TEXT    NOT NULL,
  body       BLOB    NOT NULL CHECK (length(body) = 32),
  status     INTEGER,
  location   TEXT    NOT NULL DEFAULT '',
  answer     TEXT    NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX answer_by_caller ON answer (caller, number);
CREATE INDEX answer_by_time ON answer (created_at);
