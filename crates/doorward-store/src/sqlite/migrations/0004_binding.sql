-- The key of the one device that a session goes on with: its SHA-256 (RFC 7638), and since when.
ALTER TABLE session ADD COLUMN bound_key BLOB CHECK (length(bound_key) = 32);
ALTER TABLE session ADD COLUMN bound_at INTEGER CHECK ((bound_at IS NULL) = (bound_key IS NULL));

-- What only a refresh needs stands apart, so that the rows that each request reads stay short.
CREATE TABLE binding (
    sid BLOB NOT NULL PRIMARY KEY REFERENCES session (sid) ON DELETE CASCADE,
    -- The public key, as a JWK.
    jwk TEXT NOT NULL,
    -- The number of the newest challenge that was answered.
    spent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
