-- Who is told when sessions end, in the words of Shared Signals, and what they have not acknowledged yet.
CREATE TABLE signal_stream (
    client BLOB PRIMARY KEY CHECK (length(client) = 16) REFERENCES client (id) ON DELETE CASCADE,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Where signals are pushed to; none where they are fetched.
    endpoint TEXT,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream BLOB NOT NULL REFERENCES signal_stream (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    -- What a receiver wants to hear again, in a verification.
    state TEXT,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX signal_of_stream ON signal (stream, number);

-- In the act that ends a session, whichever that is: nothing can be forgotten in between.
CREATE TRIGGER signal_of_revocation AFTER INSERT ON revocation
WHEN NEW.kind IN ('session', 'account')
BEGIN
    INSERT INTO signal (stream, kind, subject, at)
    SELECT id, NEW.kind, NEW.id, NEW.not_before FROM signal_stream WHERE enabled;
END;
