-- A session costs less. Its `User-Agent` was most of its row, and few differ: each is kept once, and
-- a session has its number. What the text is called in a person's words follows from it when it is
-- read. Words become numbers, of which 0 and 1 take no byte at all; an address is 4 or 16 bytes.
--
-- Runs with foreign keys off: dropping the old table must not take with it what hangs from its rows.

CREATE TABLE user_agent (
    id INTEGER NOT NULL PRIMARY KEY,
    text TEXT NOT NULL UNIQUE CHECK (text <> ''),
    -- Kept by the triggers below. It goes with its last session, and nobody has to look for it.
    session_count INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO user_agent (text, session_count)
    SELECT user_agent, count(*) FROM session WHERE user_agent <> '' GROUP BY user_agent;

CREATE TABLE lean_session (
    sid BLOB NOT NULL PRIMARY KEY CHECK (length(sid) = 16),
    -- The digest of the cookie's secret; none when tokens carry the session.
    key BLOB CHECK (length(key) = 32),
    -- Whose it is, and the account's epoch when it joined; none when it is nobody's.
    account BLOB REFERENCES account (id) ON DELETE CASCADE,
    epoch INTEGER CHECK ((epoch IS NULL) = (account IS NULL)),
    -- 0 a cookie, 1 tokens.
    carrier INTEGER NOT NULL,
    remembered INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    proved_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- Moves with each new secret. A session carried by tokens has no key to tell two proofs apart.
    generation INTEGER NOT NULL,
    -- The highest version of session data that was removed: no key made later has one of these.
    removed_version INTEGER NOT NULL DEFAULT 0,
    -- Methods, one bit each: 1 a password.
    amr INTEGER NOT NULL,
    -- The number of the assurance level.
    acr INTEGER NOT NULL,
    -- The id of its `user_agent`, if it has one. Not a foreign key: to forget a user agent, SQLite
    -- would look through all sessions for another that has it.
    user_agent INTEGER,
    -- 4 or 16 bytes; text where it is no address, and where it was kept before this step.
    ip ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- A word that has no number is NULL here, and stops the whole step.
INSERT INTO lean_session
    SELECT s.sid, s.key, s.account, s.epoch,
        CASE s.carrier WHEN 'cookie' THEN 0 WHEN 'token' THEN 1 END,
        s.remembered, s.opened_at, s.proved_at, s.seen_at, s.generation, s.removed_version,
        CASE s.amr WHEN '' THEN 0 WHEN 'pwd' THEN 1 END,
        CASE s.acr WHEN 'aal1' THEN 1 WHEN 'aal2' THEN 2 WHEN 'aal3' THEN 3 END,
        u.id, s.ip
    FROM session AS s LEFT JOIN user_agent AS u ON u.text = s.user_agent
    ORDER BY s.sid;

DROP TABLE session;
ALTER TABLE lean_session RENAME TO session;

CREATE UNIQUE INDEX session_by_key ON session (key) WHERE key IS NOT NULL;

-- There is no index for sweeping: a sweep reads the table beside the writer instead, and each of
-- many openings saves a B-tree.
CREATE INDEX session_of_account ON session (account) WHERE account IS NOT NULL;

CREATE TRIGGER session_takes_user_agent AFTER INSERT ON session
WHEN new.user_agent IS NOT NULL
BEGIN
    UPDATE user_agent SET session_count = session_count + 1 WHERE id = new.user_agent;
END;

-- Fires for a session that goes with its account, too.
CREATE TRIGGER session_leaves_user_agent AFTER DELETE ON session
WHEN old.user_agent IS NOT NULL
BEGIN
    UPDATE user_agent SET session_count = session_count - 1 WHERE id = old.user_agent;
    DELETE FROM user_agent WHERE id = old.user_agent AND session_count = 0;
END;

CREATE TRIGGER session_changes_user_agent AFTER UPDATE OF user_agent ON session
WHEN new.user_agent IS NOT old.user_agent
BEGIN
    UPDATE user_agent SET session_count = session_count + 1 WHERE id = new.user_agent;
    UPDATE user_agent SET session_count = session_count - 1 WHERE id = old.user_agent;
    DELETE FROM user_agent WHERE id = old.user_agent AND session_count = 0;
END;
