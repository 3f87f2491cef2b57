-- Versions that were learnt at another site. pack: the digest of what was signed; signer: the Ed25519 key that it was
-- checked with, in hex; origin: what the pack says of where it comes from (JSON).
CREATE TABLE import (
  concept    INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  pack       BLOB    NOT NULL CHECK (length(pack) = 32),
  signer     TEXT    NOT NULL CHECK (length(signer) = 64),
  origin     TEXT    NOT NULL,
  actor      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (concept, version),
  FOREIGN KEY (concept, version) REFERENCES version (concept, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER import_is_immutable BEFORE UPDATE ON import BEGIN SELECT RAISE(ABORT, 'an import never changes'); END;
CREATE TRIGGER import_is_kept BEFORE DELETE ON import BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
