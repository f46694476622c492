-- The protected sites that administrators set up.
CREATE TABLE site (
    origin TEXT PRIMARY KEY,
    -- Who may open what, as JSON.
    document TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
