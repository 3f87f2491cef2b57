-- What is done while nobody waits: a run with its steps, what it learnt and measured, and which bytes it hashed.

-- date: of the learning window's zone. until: it stops there. published: the one state that it makes was decided on;
-- state_after is the head after that.
CREATE TABLE night (
  id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  date         TEXT    NOT NULL CHECK (length(date) = 10),
  cause        TEXT    NOT NULL CHECK (cause IN ('window', 'catch_up', 'asked')),
  actor        TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('running', 'done', 'stopped', 'failed')),
  reason       TEXT    NOT NULL DEFAULT '',
  began_at     INTEGER NOT NULL,
  until        INTEGER NOT NULL,
  ended_at     INTEGER,
  state_before INTEGER NOT NULL REFERENCES state (id),
  published    INTEGER NOT NULL DEFAULT 0 CHECK (published IN (0, 1)),
  state_after  INTEGER REFERENCES state (id),
  CHECK ((state = 'running') = (ended_at IS NULL)),
  CHECK (published = 1 OR state = 'running')
) STRICT;
CREATE UNIQUE INDEX night_runs_alone ON night (state) WHERE state = 'running';
-- The clocks may show a date's window twice; it is held once.
CREATE UNIQUE INDEX night_of_date ON night (date) WHERE cause <> 'asked';

CREATE TABLE night_step (
  night    INTEGER NOT NULL REFERENCES night (id),
  position INTEGER NOT NULL CHECK (position >= 0),
  name     TEXT    NOT NULL,
  state    TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'skipped', 'stopped', 'failed')),
  seconds  REAL    NOT NULL DEFAULT 0,
  message  TEXT    NOT NULL DEFAULT '',
  detail   TEXT    NOT NULL DEFAULT '{}',
  PRIMARY KEY (night, position),
  UNIQUE (night, name)
) STRICT, WITHOUT ROWID;

-- outcome: waiting until the night publishes; then published, or left with a reason. refused: by the gate.
CREATE TABLE night_learnt (
  night   INTEGER NOT NULL REFERENCES night (id),
  concept INTEGER NOT NULL,
  version INTEGER NOT NULL,
  outcome TEXT    NOT NULL CHECK (outcome IN ('waiting', 'published', 'left', 'refused')),
  reason  TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (night, concept, version),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX night_learnt_by_version ON night_learnt (concept, version);

-- The first measure of a delta under some conditions (base, prompts, machine): what every later one is held against.
CREATE TABLE probe (
  delta      BLOB    NOT NULL REFERENCES delta (digest),
  conditions TEXT    NOT NULL,
  pictures   BLOB    NOT NULL CHECK (length(pictures) = 32),
  night      INTEGER NOT NULL REFERENCES night (id),
  PRIMARY KEY (delta, conditions)
) STRICT, WITHOUT ROWID;

-- A live concept, drawn and measured again. identity: NULL where its photos are not here.
CREATE TABLE night_measure (
  night      INTEGER NOT NULL REFERENCES night (id),
  concept    INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  outcome    TEXT    NOT NULL CHECK (outcome IN ('first', 'same', 'changed')),
  pictures   BLOB    NOT NULL CHECK (length(pictures) = 32),
  count      INTEGER NOT NULL CHECK (count > 0),
  conditions TEXT    NOT NULL,
  identity   REAL,
  fidelity   REAL    NOT NULL,
  seconds    REAL    NOT NULL,
  PRIMARY KEY (night, concept),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;

-- When all that has a digest beginning with this byte was hashed last.
CREATE TABLE verified_bucket (
  first_byte INTEGER NOT NULL PRIMARY KEY CHECK (first_byte BETWEEN 0 AND 255),
  night      INTEGER NOT NULL REFERENCES night (id),
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER night_is_kept BEFORE DELETE ON night BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER night_learnt_is_kept BEFORE DELETE ON night_learnt BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER night_measure_is_immutable BEFORE UPDATE ON night_measure
BEGIN SELECT RAISE(ABORT, 'a measure never changes'); END;
CREATE TRIGGER probe_is_immutable BEFORE UPDATE ON probe BEGIN SELECT RAISE(ABORT, 'a probe never changes'); END;
