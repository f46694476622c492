//! Secrecy: what is secret leaves in one answer, and is in no log, no other answer and no file.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use crate::harness::process::Data;
use crate::harness::{OTHER_PASSWORD, PASSWORD, Process, Reply, Tokens};

/// What somebody who cannot spell their password types.
const MISTYPED: &str = "violet harbour tin whistel";

/// The value of a cookie of somebody else's site, about which they ask.
const PASTED: &str = "Zm9yZWlnbi1jb29raWUtdGhhdC1zdGlsbC1jb3VudHM";

/// A person's and a program's day, against the real process, with every secret that came up.
struct Day {
    process: Process,
    /// Every secret, and what it is.
    secrets: Vec<(&'static str, String)>,
    /// Every answer that had no reason to hold a secret.
    replies: Vec<Reply>,
}

impl Day {
    async fn lived() -> Self {
        let data = Data::fresh();
        let config = data.beside("doorward.toml");
        std::fs::write(&config, "[log]\nfilter = \"trace\"\n").unwrap();
        let process = data.start(&["--config", config.to_str().unwrap()]).await;
        let mut day = Self { process, secrets: Vec::new(), replies: Vec::new() };
        for (what, password) in
            [("password", PASSWORD), ("new password", OTHER_PASSWORD), ("mistyped", MISTYPED)]
        {
            day.keep(what, password);
        }
        let link = std::fs::read_to_string(day.process.data().path().join("setup-link")).unwrap();
        let setup = link.trim().rsplit_once('#').unwrap().1.to_owned();
        day.keep("setup secret", &setup);
        day.browser(&setup).await;
        day.client().await;
        day
    }

    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() > 20, "{what}");
        self.secrets.push((what, secret.to_owned()));
    }

    /// In the pages: setup, login, mistakes, a new password, logout.
    async fn browser(&mut self, setup: &str) {
        let browser = self.process.browser();
        let form = [("code", setup), ("username", "root"), ("password", PASSWORD)];
        browser.post_form("/setup", &form).await.must_be(303);
        self.keep("cookie of setup", &browser.secret());
        // Refused, the page gives the code back to who typed it: it cannot be read from the link
        // again.
        browser.post_form("/setup", &form).await.must_be(403);
        let form = [("username", "alice"), ("password", PASSWORD)];
        browser.post_form("/register", &form).await.must_be(303);
        self.keep("cookie of register", &browser.secret());
        // Not the same form again, which would sign in.
        let form = [&form[..], &[("email", "alice@example.com")]].concat();
        let taken = browser.post_form("/register", &form).await.must_be(409);
        let form = [("username", "alice"), ("password", MISTYPED)];
        let wrong = browser.post_form("/login", &form).await.must_be(401);
        let swapped = [("username", PASSWORD), ("password", "alice")];
        browser.post_form("/login", &swapped).await.must_be(401);
        let proof = json!({"password": PASSWORD});
        browser.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
        self.keep("cookie of a new proof", &browser.secret());
        let form = [("current", MISTYPED), ("new", OTHER_PASSWORD)];
        let mistyped = browser.post_form("/account/password", &form).await.must_be(401);
        let form = [("current", PASSWORD), ("new", OTHER_PASSWORD), ("end_other_sessions", "on")];
        browser.post_form("/account/password", &form).await.must_be(303);
        self.keep("cookie of a new password", &browser.secret());
        let account = browser.get("/account").await.must_be(200);
        let session = browser.get("/api/v1/session").await.must_be(200);
        let sessions = browser.get("/api/v1/sessions").await.must_be(200);
        // A cookie in the wrong place, and one tossed beside it.
        let target = format!("/account?doorward={}", browser.secret());
        let query = self.process.client().get(&target).await.must_be(303);
        let two = format!("doorward={0}; doorward={0}", browser.secret());
        let tossed = self.process.client().get("/api/v1/session").cookie(two).await.must_be(401);
        let foreign = self.process.client().post("/logout").cookie(browser.cookie().unwrap());
        let foreign = foreign.header("origin", "https://evil.example").await.must_be(403);
        // Somebody asks about a cookie that counts. The page shows it to who sent it, and no log.
        let line = format!("Set-Cookie: theirs={PASTED}; Path=/");
        browser.post_form("/inspect/cookie", &[("line", &line)]).await.must_be(200);
        self.keep("pasted cookie", PASTED);
        let logout = browser.post("/logout").await.must_be(303);
        self.replies.extend([taken, wrong, mistyped, account, session, sessions]);
        self.replies.extend([query, tossed, foreign, logout]);
    }

    /// By the API: tokens, a refresh, a replay, what is malformed, logout.
    async fn client(&mut self) {
        let client = self.process.client();
        let login = json!({"username": "alice", "password": OTHER_PASSWORD, "carrier": "token"});
        let first = Tokens::read(&client.post_json("/api/v1/login", &login).await.must_be(200));
        self.keep("access token", &first.access);
        self.keep("refresh token", &first.refresh);
        let body = json!({"refresh_token": first.refresh});
        let renewed = client.post_json("/api/v1/refresh", &body).await.must_be(200);
        let second = Tokens::read(&renewed);
        self.keep("renewed access token", &second.access);
        self.keep("renewed refresh token", &second.refresh);
        let ask = |token: &str| client.get("/api/v1/session").bearer(token);
        let session = ask(&second.access).await.must_be(200);
        let spoiled = ask(&format!("{}x", second.access)).await.must_be(401);
        let misplaced = ask(&second.refresh).await.must_be(401);
        let target = format!("/api/v1/session?access_token={}", second.access);
        let query = client.get(&target).await.must_be(401);
        let mut malformed = Vec::new();
        for body in [
            format!("{{\"username\":\"alice\",\"password\":\"{OTHER_PASSWORD}\",}}"),
            format!("{{\"remember\":\"{OTHER_PASSWORD}\"}}"),
            format!("{{\"carry\":\"{OTHER_PASSWORD}\"}}"),
            format!("{{\"carry\":[[\"{OTHER_PASSWORD}\"]]}}"),
            format!("{{\"username\":\"alice\",\"password\":[\"{OTHER_PASSWORD}\"]}}"),
            format!("{{\"password\":\"{OTHER_PASSWORD}\",\"password\":\"{OTHER_PASSWORD}\"}}"),
            format!("{{\"username\":\"alice\",\"carrier\":\"{OTHER_PASSWORD}\"}}"),
            format!("{OTHER_PASSWORD}\0"),
        ] {
            let request = client.post("/api/v1/login").body("application/json", body);
            let reply = request.await;
            assert!(matches!(reply.status.as_u16(), 400 | 422), "{}", reply.describe());
            malformed.push(reply);
        }
        // The name of an unknown member is told to who sent it. It must not go into the log.
        let body = json!({OTHER_PASSWORD: 1});
        client.post_json("/api/v1/login", &body).await.must_be(422);
        let body = json!({"refresh_token": second.refresh});
        let third = client.post_json("/api/v1/refresh", &body).await.must_be(200);
        self.keep("third refresh token", &Tokens::read(&third).refresh);
        let body = json!({"refresh_token": first.refresh});
        let replay = client.post_json("/api/v1/refresh", &body).await.must_be(401);
        let ended = ask(&second.access).await.must_be(401);
        self.replies.extend([session, spoiled, misplaced, query, replay, ended]);
        self.replies.extend(malformed);
    }
}

/// The text, and the bytes that it stands for.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let bare = secret.trim_start_matches("dwr_").trim_start_matches("dws_");
    forms.extend(Base64UrlUnpadded::decode_vec(bare).ok().filter(|bytes| bytes.len() == 32));
    // The signature alone makes a token of what can be guessed.
    forms.extend(secret.rsplit_once('.').map(|(_, signature)| signature.as_bytes().to_vec()));
    forms
}

#[track_caller]
fn assert_holds_none(bytes: &[u8], secrets: &[(&'static str, String)], place: &str) {
    for (what, secret) in secrets {
        for form in forms(secret) {
            let at = bytes.windows(form.len()).position(|window| window == form);
            let near = at.map(|at| {
                let near = &bytes[at.saturating_sub(200)..(at + 20).min(bytes.len())];
                String::from_utf8_lossy(near).into_owned()
            });
            assert!(near.is_none(), "the {what} is in {place}: …{}", near.unwrap_or_default());
        }
    }
}

/// The places where others kept secrets: matrix-authentication-service, phx.gen.auth, Kratos,
/// Spring Session and better-auth in their databases, omicron in an error, axum-login in its
/// traces.
#[tokio::test]
async fn no_secret_is_in_a_log_or_in_the_database_or_in_another_answer() {
    let day = Day::lived().await;
    for reply in &day.replies {
        let place = format!("an answer: {}", reply.describe());
        assert_holds_none(place.as_bytes(), &day.secrets, "an answer");
    }
    let folder = day.process.data().path().to_owned();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    // While it runs, the newest pages are in the write-ahead log.
    let running = [read("doorward.db"), read("doorward.db-wal")].concat();
    assert_holds_none(&running, &day.secrets, "the database");
    // It is the right file: what is no secret is in it.
    assert!(running.windows(5).any(|window| window == b"alice"));
    let journal: Value =
        serde_json::from_str(day.process.stderr().lines().next().unwrap()).unwrap();
    assert!(journal.get("level").is_some(), "the log is on: {journal}");
    let text = format!("{}\n{}", day.process.stderr(), day.process.stdout());
    for line in ["a refresh token was refused", "a credential was refused"] {
        assert!(text.contains(line), "the log does not say: {line}");
    }
    assert_holds_none(text.as_bytes(), &day.secrets, "the log");

    let secrets = day.secrets;
    let data = day.process.stop().await;
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        // The one file that is there to hold a secret: the link, which is spent by now.
        if path.ends_with("setup-link") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert_holds_none(&bytes, &secrets, &path.file_name().unwrap().to_string_lossy());
    }
}

/// tower-sessions printed the secret of a session that was printed itself.
#[tokio::test]
async fn what_can_be_printed_of_a_running_server_holds_no_secret() {
    let server = crate::harness::Server::start().await;
    let alice = server.member("alice").await;
    let (browser, tokens) = (server.sign_in(&alice).await, server.tokens(&alice).await);
    let secrets = [("cookie", browser.secret()), ("refresh token", tokens.refresh.clone())];
    let by_key = doorward_wire::PresentedSecret::parse(&browser.secret()).unwrap();
    let found = server.store.session_by_key(by_key.digest()).await.unwrap().unwrap();
    let kept = server.store.password(found.account.as_ref().unwrap().id).await.unwrap();
    let printed = format!(
        "{:?} {:?} {:?} {found:?} {by_key:?} {kept:?}",
        server.app, server.app.keys, server.app.settings
    );
    assert_holds_none(printed.as_bytes(), &secrets, "what is printed");
    assert!(!printed.contains("argon2id$") && !printed.contains(PASSWORD), "{printed}");
}
