//! The same app behind nginx, Caddy and `HAProxy`, each set up as the documentation says.

use std::cell::Cell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::forward_auth::{WIKI, pass, with_wiki};
use crate::harness::client::Request;
use crate::harness::echo::Echo;
use crate::harness::proxy::{Make, Proxy, documented_table};
use crate::harness::relay::{Relay, Wire};
use crate::harness::server::{Member, PRODUCTION};
use crate::harness::{Browser, Reply, Server, eventually, report};

/// How long a member asks, and is let in, before the session ends.
const ASKS_FIRST: Duration = Duration::from_millis(30);

/// What one proxy is tried in.
struct Street {
    server: Server,
    wire: Relay,
    app: Echo,
    proxy: Proxy,
    browser: Browser,
    pass: String,
    ada: Member,
}

impl Street {
    async fn with(make: Make) -> Self {
        let server = Server::production(with_wiki).await;
        let wire = Relay::to(server.address).await;
        let app = Echo::start().await;
        let proxy = make.start(app.address, wire.address).await;
        let ada = server.member("ada").await;
        let (browser, pass) = pass(&server, &ada, "/").await;
        Self { server, wire, app, proxy, browser, pass, ada }
    }

    fn page(&self, path: &str) -> Request {
        let page = self.proxy.client().get(path).header("accept", "text/html");
        page.header("sec-fetch-mode", "navigate")
    }

    /// Whether the app heard nothing of what is done meanwhile.
    async fn unheard(&self, request: Request) -> Option<Reply> {
        let before = self.app.heard();
        let reply = request.await;
        (self.app.heard() == before).then_some(reply)
    }

    /// The signed-in member is let in, and the app knows who it is.
    async fn lets_in(&self) -> bool {
        let Some(said) = heard(&self.page("/notes?x=1").cookie(&self.pass).await) else {
            return false;
        };
        let told = |name: &str| field(&said, name);
        said["target"] == "/notes?x=1"
            && told("remote-user") == ["ada"]
            && told("remote-groups") == ["member"]
            && told("remote-sub") == [&*self.ada.id]
            && told("doorward-assertion").len() == 1
    }

    /// A page is led to the login page, with the way back.
    async fn leads(&self) -> bool {
        let Some(reply) = self.unheard(self.page("/notes?x=1")).await else { return false };
        let way = format!("{PRODUCTION}/login?rd=https%3A%2F%2Fwiki.example.com%2Fnotes%3Fx%3D1");
        [302, 303].contains(&reply.status.as_u16()) && reply.header("location") == Some(&*way)
    }

    /// A program is told.
    async fn tells(&self) -> bool {
        let request = self.proxy.client().get("/notes").header("accept", "application/json");
        let Some(reply) = self.unheard(request).await else { return false };
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        reply.status == 401 && challenge.starts_with("Bearer") && reply.header("location").is_none()
    }

    async fn forbids(&self) -> bool {
        let reply = self.unheard(self.page("/admin/x").cookie(&self.pass)).await;
        reply.is_some_and(|reply| reply.status == 403)
    }

    async fn keeps_bodies(&self) -> bool {
        let body = json!({ "text": "x".repeat(20_000) });
        let request = self.proxy.client().post_json("/notes", &body).cookie(&self.pass);
        let Some(said) = heard(&request.await) else { return false };
        said["method"] == "POST" && said["body"].as_str() == Some(&*body.to_string())
    }

    /// A socket is opened for the member, and for nobody else.
    async fn opens_sockets(&self) -> bool {
        let open = async |cookie: &str| {
            let mut stream = TcpStream::connect(self.proxy.address()).await.unwrap();
            let asked = format!(
                "GET /socket HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: Upgrade\r\nUpgrade: \
                 websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
                 dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}\r\n"
            );
            stream.write_all(asked.as_bytes()).await.unwrap();
            let mut read = Vec::new();
            while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                if stream.read_buf(&mut read).await.unwrap() == 0 {
                    break;
                }
            }
            (stream, String::from_utf8_lossy(&read).into_owned())
        };
        let before = self.app.heard();
        let (_, refused) = open("").await;
        if !refused.starts_with("HTTP/1.1 401") || self.app.heard() != before {
            report(&format!("a socket for nobody: {refused}"));
            return false;
        }
        let (mut stream, opened) = open(&format!("Cookie: {}\r\n", self.pass)).await;
        if !opened.starts_with("HTTP/1.1 101") {
            report(&format!("no socket: {opened}"));
            return false;
        }
        stream.write_all(b"ping").await.unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await.unwrap();
        heard == *b"ping"
    }

    /// What a client says of itself does not reach the app.
    async fn believes_no_client(&self) -> bool {
        let claims =
            ["Remote-User", "remote_user", "Remote-Email", "REMOTE-GROUPS", "Doorward-Assertion"];
        for path in ["/notes", "/public/x"] {
            let mut request = self.page(path);
            if path == "/notes" {
                request = request.cookie(&self.pass);
            }
            for name in claims {
                request = request.header(name, "root");
            }
            if heard(&request.await).is_none_or(|said| said["fields"].to_string().contains("root"))
            {
                return false;
            }
        }
        true
    }

    /// Nor does it decide what is asked about.
    async fn asks_about_the_real_request(&self) -> bool {
        let admin = || self.page("/admin/x").cookie(&self.pass);
        for (name, value) in [
            ("X-Forwarded-Uri", "/public"),
            ("X-Forwarded-Host", "blog.example.com"),
            ("X-Forwarded-Method", "OPTIONS"),
            ("X-Original-URL", "https://wiki.example.com/public"),
            ("X-Original-Method", "OPTIONS"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Rewrite-Url", "/public"),
        ] {
            let reply = self.unheard(admin().header(name, value)).await;
            if reply.is_none_or(|reply| reply.status.as_u16() < 400) {
                return false;
            }
        }
        true
    }

    async fn reads_no_query(&self) -> bool {
        let query =
            "?rd=https://evil.example&x-forwarded-uri=/public&authelia_url=https://evil.example";
        let Some(reply) = self.unheard(self.page(&format!("/notes{query}"))).await else {
            return false;
        };
        let way = reply.header("location").unwrap_or_default();
        let forbidden = self.unheard(self.page(&format!("/admin{query}")).cookie(&self.pass)).await;
        way.starts_with(&format!("{PRODUCTION}/login?rd=https%3A%2F%2Fwiki.example.com%2Fnotes"))
            && forbidden.is_some_and(|reply| reply.status == 403)
    }

    /// No way of writing a path gets a member where only administrators may go.
    async fn reads_paths_in_one_way(&self) -> bool {
        for path in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/..%2fadmin",
            "/public/..;/admin",
            "//admin",
            "/./admin",
            "/%61dmin",
            "/ADMIN",
            "/public/..\\admin",
        ] {
            let reply = self.unheard(self.page(path).cookie(&self.pass)).await;
            if reply.is_none_or(|reply| reply.status.as_u16() < 400) {
                return false;
            }
        }
        true
    }

    /// More header fields, or larger ones, than anybody sends.
    async fn stands_floods(&self) -> bool {
        let mut many = self.page("/admin/x");
        for number in 0..250 {
            many = many.header(&format!("x-{number}"), "1");
        }
        let large = self.page("/admin/x").header("x-large", "x".repeat(60_000));
        for flood in [many, large] {
            let before = self.app.heard();
            let answered = flood.attempt().await;
            if answered.is_some_and(|reply| reply.status == 200) || self.app.heard() != before {
                return false;
            }
        }
        self.lets_in().await
    }

    async fn ends(&self) -> bool {
        self.browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
        let reply = self.unheard(self.proxy.client().get("/notes").cookie(&self.pass)).await;
        reply.is_some_and(|reply| reply.status == 401)
    }

    /// Without us nobody is let in, and with us again everybody who may.
    async fn fails_closed(&self) -> bool {
        self.wire.set(Wire::Cut);
        for path in ["/notes", "/public/x"] {
            let reply = self.unheard(self.page(path).cookie(&self.pass)).await;
            if reply.is_none_or(|reply| reply.status.as_u16() < 500) {
                return false;
            }
        }
        self.wire.set(Wire::Whole);
        eventually("a proxy that has us again", async || self.lets_in().await.then_some(())).await;
        true
    }

    /// How long after its end was asked for a session was first refused, while its member went on asking.
    ///
    /// No request may be let through that set out after the end was acknowledged.
    async fn refused_after(&self) -> Duration {
        let (browser, pass) = pass(&self.server, &self.ada, "/").await;
        let ask = || self.proxy.client().get("/notes").cookie(&pass);
        ask().await.must_be(200);
        let acknowledged = Cell::new(None);
        let asking = async {
            loop {
                let began = Instant::now();
                let reply = ask().await;
                if reply.status == 401 {
                    return Instant::now();
                }
                reply.must_be(200);
                let late = acknowledged.get().is_some_and(|at| began > at);
                assert!(!late, "let in after the end was acknowledged");
            }
        };
        let ending = async {
            tokio::time::sleep(ASKS_FIRST).await;
            let asked = Instant::now();
            browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
            acknowledged.set(Some(Instant::now()));
            asked
        };
        let (refused, asked) = tokio::join!(asking, ending);
        refused.checked_duration_since(asked).expect("refused before the end was asked for")
    }
}

/// What the app says that it heard, if it was the app that answered.
fn heard(reply: &Reply) -> Option<Value> {
    if reply.status != 200 {
        report(&format!("not the app:\n{}", reply.describe()));
        return None;
    }
    Some(reply.json())
}

/// The values of a field that reached the app.
fn field<'a>(said: &'a Value, name: &str) -> Vec<&'a str> {
    let fields = said["fields"].as_array().into_iter().flatten();
    fields.filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
}

/// Everything that is tried with a proxy, in order, and whether it went as it must.
async fn try_all(make: Make) -> Vec<(&'static str, bool)> {
    let street = Street::with(make).await;
    let mut found = Vec::new();
    let mut note = |what, went| found.push((what, went));
    note("signed in: let through, and the app is told who it is", street.lets_in().await);
    note("not signed in, a page: led to the login page and back", street.leads().await);
    note("not signed in, a program: 401 and what to send", street.tells().await);
    note("signed in and not allowed: 403, never a login", street.forbids().await);
    note("the body of a POST reaches the app", street.keeps_bodies().await);
    note("WebSocket: for the member, and 401 for nobody", street.opens_sockets().await);
    note(
        "`Remote-User`, `remote_user` and the like of a client",
        street.believes_no_client().await,
    );
    note("`X-Forwarded-*`, `X-Original-*` of a client", street.asks_about_the_real_request().await);
    note("the client's query decides nothing", street.reads_no_query().await);
    note("paths with two readings", street.reads_paths_in_one_way().await);
    note("250 header fields, or one of 60 kB", street.stands_floods().await);
    note("Doorward away: nobody is let in, not even to `anybody`", street.fails_closed().await);
    note("the session ended: refused at once", street.ends().await);
    assert_eq!(street.server.origin, PRODUCTION);
    assert!(WIKI.starts_with("https://"));
    found
}

#[tokio::test]
async fn each_proxy_does_what_the_table_in_the_documentation_says() {
    let mut columns = Vec::new();
    for make in Make::ALL {
        columns.push(try_all(make).await);
    }
    let mut table = String::from("| | nginx | Caddy | HAProxy |\n|---|---|---|---|\n");
    for row in 0..columns[0].len() {
        write!(table, "| {} |", columns[0][row].0).unwrap();
        for column in &columns {
            write!(table, " {} |", if column[row].1 { "as it must" } else { "**not**" }).unwrap();
        }
        table.push('\n');
    }
    assert_eq!(table.trim(), documented_table(), "found:\n{table}");
    assert!(!table.contains("**not**"), "{table}");
}

#[tokio::test]
async fn a_session_that_has_ended_is_refused_behind_each_proxy_at_once() {
    const ENDS: usize = 30;
    for make in Make::ALL {
        let street = Street::with(make).await;
        let mut times = Vec::new();
        for _ in 0..ENDS {
            times.push(street.refused_after().await);
        }
        times.sort_unstable();
        let (median, longest) = (times[ENDS / 2], times[ENDS - 1]);
        report(&format!(
            "{make:?}: {ENDS} sessions ended, refused after {median:?}, at most {longest:?}"
        ));
    }
}
