-- Personal access tokens. Of each the digest of its secret is kept.
CREATE TABLE personal_token (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    name TEXT NOT NULL,
    audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    client TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX personal_token_account ON personal_token (account);
CREATE INDEX personal_token_expires ON personal_token (expires_at);
