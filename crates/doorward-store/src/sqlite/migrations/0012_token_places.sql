-- Tokens that have a place in a status list, until they have expired. Numbers are never given twice.
CREATE TABLE token_place (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    jti BLOB NOT NULL CHECK (length(jti) = 16),
    sid BLOB CHECK (length(sid) = 16),
    account BLOB CHECK (length(account) = 16),
    client BLOB CHECK (length(client) = 16),
    -- What a revocation's not_before is compared with.
    since INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
