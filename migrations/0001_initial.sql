-- Conventions: times are UTC milliseconds (INTEGER); digests are the 32 bytes of a SHA-256 (BLOB); settings and metrics
-- are JSON (TEXT). Nothing here is specific to one database but STRICT, BLOB and the triggers' RAISE.
-- A file of this folder is never edited once it has shipped: a change is a new file.

-- The picture itself is a file, photos/ab/abcd..., durable before its row.
CREATE TABLE photo (
  digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  media_type TEXT    NOT NULL,
  size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
  width      INTEGER NOT NULL DEFAULT 0,
  height     INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;

-- newest_version rises only, so that a number is never given twice, whatever becomes of the rows of `version`.
CREATE TABLE concept (
  id             INTEGER NOT NULL PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
  class_word     TEXT    NOT NULL CHECK (class_word <> ''),
  newest_version INTEGER NOT NULL DEFAULT 0 CHECK (newest_version >= 0),
  created_by     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  removed_at     INTEGER
) STRICT;

CREATE TABLE concept_photo (
  concept       INTEGER NOT NULL REFERENCES concept (id),
  position      INTEGER NOT NULL CHECK (position >= 0),
  photo         BLOB    NOT NULL REFERENCES photo (digest),
  original_name TEXT    NOT NULL DEFAULT '',
  caption       TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (concept, position),
  UNIQUE (concept, photo)
) STRICT;

CREATE TABLE job (
  id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  kind           TEXT    NOT NULL CHECK (kind IN ('learn', 'consolidate', 'evaluate', 'import')),
  concept        INTEGER REFERENCES concept (id),
  state          TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  settings       TEXT    NOT NULL,
  requested_by   TEXT    NOT NULL,
  urgent         INTEGER NOT NULL CHECK (urgent IN (0, 1)),
  attempts       INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  attempts_max   INTEGER NOT NULL CHECK (attempts_max > 0),
  fence          INTEGER NOT NULL DEFAULT 0,
  worker         TEXT    NOT NULL DEFAULT '',
  step           INTEGER NOT NULL DEFAULT 0,
  steps          INTEGER NOT NULL DEFAULT 0,
  loss           REAL             DEFAULT 0,  -- NULL: not a number
  eta_s          REAL    NOT NULL DEFAULT -1,
  message        TEXT    NOT NULL DEFAULT '',
  error_code     TEXT    NOT NULL DEFAULT '',
  error_message  TEXT    NOT NULL DEFAULT '',
  result_version INTEGER,
  created_at     INTEGER NOT NULL,
  started_at     INTEGER,
  finished_at    INTEGER,
  lease_until    INTEGER,
  deadline       INTEGER,
  CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  FOREIGN KEY (concept, result_version) REFERENCES version (concept, number)
) STRICT;
CREATE INDEX job_by_state ON job (state, urgent, id);
CREATE INDEX job_by_concept ON job (concept, id);

-- One safetensors document a row: small enough for a row, and so published in the transaction that names it.
CREATE TABLE delta (
  digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  bytes      BLOB    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE preview (
  digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  png    BLOB NOT NULL
) STRICT;

-- photos: JSON array of the hex digests it was learnt from. seed: 64 bits, kept as a signed number.
CREATE TABLE version (
  concept          INTEGER NOT NULL REFERENCES concept (id),
  number           INTEGER NOT NULL CHECK (number > 0),
  class_word       TEXT    NOT NULL,
  method           TEXT    NOT NULL,
  base_fingerprint TEXT    NOT NULL,
  delta            BLOB    NOT NULL REFERENCES delta (digest),
  parent           INTEGER,
  seed             INTEGER NOT NULL,
  settings         TEXT    NOT NULL,
  metrics          TEXT    NOT NULL,
  verdict          TEXT    NOT NULL CHECK (verdict IN ('accepted', 'rejected')),
  verdict_reason   TEXT    NOT NULL,
  photos           TEXT    NOT NULL,
  preview          BLOB REFERENCES preview (digest),
  job              INTEGER REFERENCES job (id),
  created_at       INTEGER NOT NULL,
  PRIMARY KEY (concept, number),
  FOREIGN KEY (concept, parent) REFERENCES version (concept, number)
) STRICT;
CREATE INDEX version_by_delta ON version (delta);

-- consolidated: one delta for the whole map, where a clean one exists; a cache, never the truth.
CREATE TABLE state (
  id           INTEGER NOT NULL PRIMARY KEY,
  parent       INTEGER REFERENCES state (id),
  consolidated BLOB REFERENCES delta (digest),
  reason       TEXT    NOT NULL,
  actor        TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  CHECK (parent < id)
) STRICT;

CREATE TABLE state_entry (
  state   INTEGER NOT NULL REFERENCES state (id),
  concept INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (state, concept),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_entry_by_version ON state_entry (concept, version);

-- The one pointer that moves.
CREATE TABLE head (
  id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  state INTEGER NOT NULL REFERENCES state (id)
) STRICT;

-- hash = SHA-256(hash of the row before || canonical JSON of the other columns); AUTOINCREMENT remembers how many rows
-- there were, so that a cut tail is seen too.
CREATE TABLE audit (
  id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  actor   TEXT    NOT NULL,
  action  TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  detail  TEXT    NOT NULL,
  hash    BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_by_subject ON audit (subject, id);

-- What is immutable says so itself.
CREATE TRIGGER delta_is_immutable BEFORE UPDATE ON delta BEGIN SELECT RAISE(ABORT, 'a delta never changes'); END;
CREATE TRIGGER version_is_immutable BEFORE UPDATE ON version BEGIN SELECT RAISE(ABORT, 'a version never changes'); END;
CREATE TRIGGER state_is_immutable BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'a state never changes'); END;
CREATE TRIGGER state_entry_is_immutable BEFORE UPDATE ON state_entry
BEGIN SELECT RAISE(ABORT, 'a state never changes'); END;
CREATE TRIGGER audit_is_immutable BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit never changes'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;
CREATE TRIGGER head_is_kept BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'there is always a head'); END;
