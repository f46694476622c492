-- Ids are the 16 bytes of a UUID, digests the 32 bytes of a SHA-256, times seconds since 1970.
-- Tables named by random or time-ordered bytes have no rowid: one B-tree each instead of two.

CREATE TABLE account (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL UNIQUE,
    -- What the username looks like: two names of one skeleton cannot be told apart (UTS #39).
    skeleton TEXT NOT NULL UNIQUE,
    -- Capitals do not make another mailbox, or a reset link could go to the wrong one.
    email TEXT COLLATE NOCASE UNIQUE,
    role TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    -- Moves with each change of the password, and not with a rehash.
    password_version INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- A PHC string.
    password TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX account_administrator ON account (id) WHERE role = 'administrator';

CREATE TABLE session (
    sid BLOB NOT NULL PRIMARY KEY CHECK (length(sid) = 16),
    -- The digest of the cookie's secret; none when tokens carry the session.
    key BLOB CHECK (length(key) = 32),
    -- Whose it is, and the account's epoch when it joined; none when it is nobody's.
    account BLOB REFERENCES account (id) ON DELETE CASCADE,
    epoch INTEGER CHECK ((epoch IS NULL) = (account IS NULL)),
    carrier TEXT NOT NULL,
    remembered INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    proved_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- Moves with each new secret. A session carried by tokens has no key to tell two proofs apart.
    generation INTEGER NOT NULL,
    -- The highest version of session data that was removed: no key made later has one of these.
    removed_version INTEGER NOT NULL DEFAULT 0,
    -- Methods, separated by spaces.
    amr TEXT NOT NULL,
    acr TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    label TEXT NOT NULL,
    ip TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX session_by_key ON session (key) WHERE key IS NOT NULL;

-- What sessions answered to before: whoever shows one of these later has a copy.
CREATE TABLE retired_key (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    sid BLOB NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX retired_key_of_session ON retired_key (sid);

-- There is no index for sweeping: a sweep reads the table beside the writer instead, and each of
-- many openings saves a B-tree.
CREATE INDEX session_of_account ON session (account) WHERE account IS NOT NULL;

CREATE TABLE session_datum (
    sid BLOB NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (sid, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_token (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    sid BLOB NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    -- The token it succeeds, until its own first use.
    predecessor BLOB,
    issued_at INTEGER NOT NULL,
    -- Its first use. The salt goes once the successor was used too: then only a thief can come with
    -- it, and a copy of the database together with an old token must not lead to the newest.
    used_at INTEGER,
    salt BLOB CHECK (length(salt) = 32),
    audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    client TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_token_of_session ON refresh_token (sid);

CREATE TABLE signing_key (
    kid BLOB NOT NULL PRIMARY KEY CHECK (length(kid) = 16),
    algorithm TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of the newest revocation. It outlives the entries, so that no number comes twice.
CREATE TABLE revocation_head (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    seq INTEGER NOT NULL
) STRICT;

INSERT INTO revocation_head VALUES (1, 0);

CREATE TABLE revocation (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account BLOB,
    session BLOB,
    ip TEXT,
    reason TEXT
) STRICT, WITHOUT ROWID;

-- The one setup link there can be.
CREATE TABLE setup (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    key BLOB NOT NULL CHECK (length(key) = 32),
    expires_at INTEGER NOT NULL
) STRICT;

-- The trifle that a probe keeps.
CREATE TABLE probe (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    at INTEGER NOT NULL
) STRICT;

INSERT INTO probe VALUES (1, 0);
