-- The key that a refresh token is bound to, and the proofs that were shown and could be shown again.
ALTER TABLE refresh_token ADD COLUMN jkt BLOB CHECK (jkt IS NULL OR length(jkt) = 32);
CREATE TABLE spent_proof (
    seq INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    until INTEGER NOT NULL
) STRICT;
