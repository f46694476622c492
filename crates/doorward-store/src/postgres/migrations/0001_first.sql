-- Ids are the 16 bytes of a UUID, digests the 32 bytes of a SHA-256, times seconds since 1970.
-- Text is compared byte by byte: how a server sorts must not change what we find.

CREATE TABLE account (
    id BYTEA PRIMARY KEY CHECK (octet_length(id) = 16),
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    -- What the username looks like: two names of one skeleton cannot be told apart (UTS #39).
    skeleton TEXT COLLATE "C" NOT NULL UNIQUE,
    email TEXT COLLATE "C",
    role TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    -- Moves with each change of the password, and not with a rehash.
    password_version BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    -- A PHC string.
    password TEXT COLLATE "C" NOT NULL
);

-- Capitals do not make another mailbox, or a reset link could go to the wrong one.
CREATE UNIQUE INDEX account_email ON account (lower(email));
CREATE INDEX account_administrator ON account (id) WHERE role = 'administrator';

-- Uses are written into the row as it stands: there is room for it in its page.
CREATE TABLE session (
    sid BYTEA PRIMARY KEY CHECK (octet_length(sid) = 16),
    -- The digest of the cookie's secret; none when tokens carry the session.
    key BYTEA CHECK (octet_length(key) = 32),
    -- Whose it is, and the account's epoch when it joined; none when it is nobody's.
    account BYTEA REFERENCES account (id) ON DELETE CASCADE,
    epoch BIGINT CHECK ((epoch IS NULL) = (account IS NULL)),
    -- 0 a cookie, 1 tokens.
    carrier SMALLINT NOT NULL,
    remembered BOOLEAN NOT NULL,
    opened_at BIGINT NOT NULL,
    proved_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    -- Moves with each new secret. A session carried by tokens has no key to tell two proofs apart.
    generation BIGINT NOT NULL,
    -- The highest version of session data that was removed: no key made later has one of these.
    removed_version BIGINT NOT NULL DEFAULT 0,
    -- Methods, one bit each: 1 a password.
    amr SMALLINT NOT NULL,
    -- The number of the assurance level.
    acr SMALLINT NOT NULL,
    -- In each row: a table of them would have all logins wait for the row of the newest browser.
    user_agent TEXT COLLATE "C" NOT NULL,
    ip TEXT COLLATE "C" NOT NULL,
    -- The key of the one device that a session goes on with: its SHA-256 (RFC 7638), and since when.
    bound_key BYTEA CHECK (octet_length(bound_key) = 32),
    bound_at BIGINT CHECK ((bound_at IS NULL) = (bound_key IS NULL))
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX session_by_key ON session (key) WHERE key IS NOT NULL;
CREATE INDEX session_of_account ON session (account, sid) WHERE account IS NOT NULL;

-- What sessions answered to before: whoever shows one of these later has a copy. It still reads for a
-- few seconds, with what its session was worth before the new proof.
CREATE TABLE retired_key (
    key BYTEA PRIMARY KEY CHECK (octet_length(key) = 32),
    sid BYTEA NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    retired_at BIGINT NOT NULL,
    reads BOOLEAN NOT NULL,
    proved_at BIGINT NOT NULL,
    acr SMALLINT NOT NULL
);

CREATE INDEX retired_key_of_session ON retired_key (sid);

CREATE TABLE session_datum (
    sid BYTEA NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    json TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (sid, key)
);

-- What only a refresh needs stands apart, so that the rows that each request reads stay short.
CREATE TABLE binding (
    sid BYTEA PRIMARY KEY REFERENCES session (sid) ON DELETE CASCADE,
    -- The public key, as a JWK.
    jwk TEXT COLLATE "C" NOT NULL,
    -- The number of the newest challenge that was answered.
    spent BIGINT NOT NULL
);

CREATE TABLE refresh_token (
    key BYTEA PRIMARY KEY CHECK (octet_length(key) = 32),
    sid BYTEA NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    -- The token it succeeds, until its own first use.
    predecessor BYTEA,
    issued_at BIGINT NOT NULL,
    -- Its first use. The salt goes once the successor was used too: then only a thief can come with
    -- it, and a copy of the database together with an old token must not lead to the newest.
    used_at BIGINT,
    salt BYTEA CHECK (octet_length(salt) = 32),
    audience TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    -- The key that it is bound to.
    jkt BYTEA CHECK (octet_length(jkt) = 32)
);

-- The unused tokens of a session stand apart from the long chain of used ones.
CREATE INDEX refresh_token_of_session ON refresh_token (sid, used_at);
CREATE INDEX refresh_token_of_client ON refresh_token (client);

-- Services that speak for themselves, or ask about tokens, and clients that people sign in for. Scopes,
-- audiences and addresses stand one a line.
CREATE TABLE client (
    id BYTEA PRIMARY KEY CHECK (octet_length(id) = 16),
    name TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    serves TEXT COLLATE "C" NOT NULL,
    redirects TEXT COLLATE "C" NOT NULL,
    audience TEXT COLLATE "C" NOT NULL,
    is_public BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    secret BYTEA NOT NULL CHECK (octet_length(secret) = 32),
    tokens_from BIGINT NOT NULL
);

CREATE TABLE authorization_code (
    key BYTEA PRIMARY KEY CHECK (octet_length(key) = 32),
    sid BYTEA NOT NULL REFERENCES session (sid) ON DELETE CASCADE,
    -- Or our own, for sites behind a proxy, which is no row of client.
    client BYTEA NOT NULL CHECK (octet_length(client) = 16),
    redirect_uri TEXT COLLATE "C" NOT NULL,
    challenge BYTEA NOT NULL CHECK (octet_length(challenge) = 32),
    audience TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The access token that came of it.
    used BYTEA CHECK (octet_length(used) = 16)
);

CREATE INDEX authorization_code_session ON authorization_code (sid);
CREATE INDEX authorization_code_client ON authorization_code (client);
CREATE INDEX authorization_code_expires ON authorization_code (expires_at);

-- Proofs that were shown and could be shown again.
CREATE TABLE spent_proof (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE CHECK (octet_length(key) = 32),
    until BIGINT NOT NULL
);

-- Personal access tokens. Of each the digest of its secret is kept.
CREATE TABLE personal_token (
    id BYTEA PRIMARY KEY CHECK (octet_length(id) = 16),
    key BYTEA NOT NULL UNIQUE CHECK (octet_length(key) = 32),
    account BYTEA NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    audience TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX personal_token_account ON personal_token (account);
CREATE INDEX personal_token_expires ON personal_token (expires_at);

-- Tokens that have a place in a status list, until they have expired. Numbers are never given twice.
CREATE TABLE token_place (
    number BIGINT GENERATED ALWAYS AS IDENTITY (
        SEQUENCE NAME token_place_number MINVALUE 0 START WITH 0) PRIMARY KEY,
    jti BYTEA NOT NULL CHECK (octet_length(jti) = 16),
    sid BYTEA CHECK (octet_length(sid) = 16),
    account BYTEA CHECK (octet_length(account) = 16),
    client BYTEA CHECK (octet_length(client) = 16),
    -- What a revocation's not_before is compared with.
    since BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Where accounts signed in from lately, roughly.
CREATE TABLE visit (
    account BYTEA NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT COLLATE "C" NOT NULL,
    network TEXT COLLATE "C" NOT NULL,
    -- Empty where it is not known. Of one network a part can be in another country.
    country TEXT COLLATE "C" NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (account, device, network, country)
);

-- Signing keys, sealed: which number of its algorithm, from when it signs, when it was retired.
CREATE TABLE signing_key (
    kid BYTEA PRIMARY KEY CHECK (octet_length(kid) = 16),
    algorithm TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    active_at BIGINT NOT NULL,
    retired_at BIGINT,
    UNIQUE (algorithm, number)
);

-- Which log this is. Whoever follows it knows by this that the numbers they know are of another one.
CREATE TABLE revocation_log (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    name BYTEA NOT NULL CHECK (octet_length(name) = 16)
);

INSERT INTO revocation_log (name) VALUES (uuid_send(gen_random_uuid()));

-- The number of the newest revocation. It outlives the entries, so that no number comes twice.
CREATE TABLE revocation_head (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    seq BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO revocation_head (seq) VALUES (0);

CREATE TABLE revocation (
    seq BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    id BYTEA NOT NULL CHECK (octet_length(id) = 16),
    not_before BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE event (
    id BYTEA PRIMARY KEY CHECK (octet_length(id) = 16),
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    account BYTEA,
    session BYTEA,
    ip TEXT COLLATE "C",
    reason TEXT COLLATE "C",
    -- What a request came from, in a person's words.
    device TEXT COLLATE "C"
);

CREATE INDEX event_of_account ON event (account, id) WHERE account IS NOT NULL;

-- The alarming events that their owner has not answered yet: of one kind about one session, one.
CREATE TABLE notice (
    event BYTEA PRIMARY KEY REFERENCES event (id) ON DELETE CASCADE,
    account BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    session BYTEA,
    UNIQUE (account, kind, session)
);

-- Who is told when sessions end, in the words of Shared Signals, and what they have not acknowledged yet.
CREATE TABLE signal_stream (
    client BYTEA PRIMARY KEY REFERENCES client (id) ON DELETE CASCADE,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    -- Where signals are pushed to; none where they are fetched.
    endpoint TEXT COLLATE "C",
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE signal (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream BYTEA NOT NULL REFERENCES signal_stream (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    subject BYTEA NOT NULL CHECK (octet_length(subject) = 16),
    -- What a receiver wants to hear again, in a verification: bytes, for it may have a NUL.
    state BYTEA,
    at BIGINT NOT NULL
);

CREATE INDEX signal_of_stream ON signal (stream, number);

-- In the act that ends a session, whichever that is: nothing can be forgotten in between. A stream that
-- is just being deleted is waited for, and passed over. Other nodes hear of it with the commit.
CREATE FUNCTION tell_of_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO signal (stream, kind, subject, at)
        SELECT told.id, entry.kind, entry.id, entry.not_before
        FROM (SELECT id FROM signal_stream WHERE enabled ORDER BY id FOR KEY SHARE) AS told
        CROSS JOIN appended AS entry
        WHERE entry.kind IN ('session', 'account')
        ORDER BY entry.seq;
    PERFORM pg_notify('doorward_log', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER signal_of_revocation AFTER INSERT ON revocation
    REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_revocation();

-- The one setup link there can be.
CREATE TABLE setup (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    key BYTEA NOT NULL CHECK (octet_length(key) = 32),
    expires_at BIGINT NOT NULL
);

-- The trifle that a probe keeps.
CREATE TABLE probe (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    at BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO probe (at) VALUES (0);

-- The protected sites that administrators set up.
CREATE TABLE site (
    origin TEXT COLLATE "C" PRIMARY KEY,
    -- Who may open what, as JSON.
    document TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
