-- Clients that people sign in for, and what such a client takes home from a browser. Addresses stand one a
-- line.
ALTER TABLE client ADD COLUMN redirects TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN audience TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1));

CREATE TABLE authorization_code (
    key BLOB PRIMARY KEY CHECK (length(key) = 32),
    sid BLOB NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    -- Or our own, for sites behind a proxy, which is no row of client.
    client BLOB NOT NULL CHECK (length(client) = 16),
    redirect_uri TEXT NOT NULL,
    challenge BLOB NOT NULL CHECK (length(challenge) = 32),
    audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The access token that came of it.
    used BLOB CHECK (length(used) = 16)
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_code_session ON authorization_code (sid);
CREATE INDEX authorization_code_client ON authorization_code (client);
CREATE INDEX authorization_code_expires ON authorization_code (expires_at);
