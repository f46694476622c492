-- What an account's owner sees of their own events, tokens and places.

CREATE INDEX event_of_account ON event (account) WHERE account IS NOT NULL;

-- The alarming events that their owner has not answered yet.
CREATE TABLE notice (
    event BLOB NOT NULL PRIMARY KEY REFERENCES event (id) ON DELETE CASCADE,
    account BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_of_account ON notice (account);

-- Where accounts signed in from lately, roughly.
CREATE TABLE visit (
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    network TEXT NOT NULL,
    -- Empty where it is not known. Of one network a part can be in another country.
    country TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (account, device, network, country)
) STRICT, WITHOUT ROWID;

-- The unused tokens of a session stand first in it, before the long chain of used ones.
DROP INDEX refresh_token_of_session;
CREATE INDEX refresh_token_of_session ON refresh_token (sid, used_at);
