-- Services that speak for themselves, or ask about tokens. Scopes and audiences stand one a line.
CREATE TABLE client (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    serves TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    tokens_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
