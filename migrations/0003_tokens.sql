-- Access tokens. The secret is not here, only its SHA-256. An id is never given twice; of the tokens that count (not
-- revoked, not expired) no two have one name.
CREATE TABLE token (
  id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  role         TEXT    NOT NULL CHECK (role IN ('viewer', 'creator', 'operator', 'admin')),
  hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_by   TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER,
  revoked_at   INTEGER
) STRICT;

-- What a token may do is fixed when it is made, and nobody brings a revoked one back.
CREATE TRIGGER token_is_fixed BEFORE UPDATE ON token
WHEN old.id <> new.id OR old.name <> new.name OR old.role <> new.role OR old.hash <> new.hash
  OR old.expires_at IS NOT new.expires_at OR (old.revoked_at IS NOT NULL AND new.revoked_at IS NOT old.revoked_at)
BEGIN SELECT RAISE(ABORT, 'a token never changes'); END;
