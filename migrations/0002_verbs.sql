-- Pins, aliases, overridden verdicts, and what has been erased.

-- A pinned concept stays where it is: what is learnt of it is kept and not published. One pin a concept, always at the
-- version that is live.
CREATE TABLE pin (
  concept    INTEGER NOT NULL PRIMARY KEY REFERENCES concept (id),
  version    INTEGER NOT NULL,
  reason     TEXT    NOT NULL,
  actor      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT;

-- A name for one version of one concept.
CREATE TABLE alias (
  concept    INTEGER NOT NULL REFERENCES concept (id),
  name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 32),
  version    INTEGER NOT NULL,
  actor      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (concept, name),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;

-- Somebody let a rejected version pass, and said why. The version's own verdict stays what it was.
CREATE TABLE gate_override (
  concept    INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  reason     TEXT    NOT NULL CHECK (reason <> ''),
  actor      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (concept, version),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;

-- Bytes that were erased. The row of a delta or a preview stays, empty, so that every version and state still says what
-- it was; the row of a photo goes, and this one says that there was one.
CREATE TABLE erasure (
  digest     BLOB    NOT NULL CHECK (length(digest) = 32),
  kind       TEXT    NOT NULL CHECK (kind IN ('delta', 'preview', 'photo')),
  size_bytes INTEGER NOT NULL,
  erased_at  INTEGER NOT NULL,
  PRIMARY KEY (digest, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX version_by_preview ON version (preview);
CREATE INDEX concept_photo_by_photo ON concept_photo (photo);

-- Bytes may be emptied once an erasure says so, and may come back where they are empty. Nothing else ever changes.
DROP TRIGGER delta_is_immutable;
CREATE TRIGGER delta_is_immutable BEFORE UPDATE ON delta
WHEN new.digest <> old.digest OR new.created_at <> old.created_at OR (length(new.bytes) > 0 AND length(old.bytes) > 0)
  OR NOT EXISTS (SELECT 1 FROM erasure WHERE digest = old.digest AND kind = 'delta')
BEGIN SELECT RAISE(ABORT, 'a delta never changes'); END;
CREATE TRIGGER preview_is_immutable BEFORE UPDATE ON preview
WHEN new.digest <> old.digest OR (length(new.png) > 0 AND length(old.png) > 0)
  OR NOT EXISTS (SELECT 1 FROM erasure WHERE digest = old.digest AND kind = 'preview')
BEGIN SELECT RAISE(ABORT, 'a preview never changes'); END;
CREATE TRIGGER gate_override_is_immutable BEFORE UPDATE ON gate_override
BEGIN SELECT RAISE(ABORT, 'an override never changes'); END;
CREATE TRIGGER delta_is_kept BEFORE DELETE ON delta BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER version_is_kept BEFORE DELETE ON version BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER state_is_kept BEFORE DELETE ON state BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER state_entry_is_kept BEFORE DELETE ON state_entry BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER gate_override_is_kept BEFORE DELETE ON gate_override BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
