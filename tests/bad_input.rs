//! Bad input: each gets the contract's clear error, stores nothing, and is never our fault.
//!
//! How quickly each was refused is printed, not asserted: a busy machine proves nothing.

use std::time::{Duration, Instant};

use doorward_core::event::EventKind;
use serde_json::{Value, json};

use crate::harness::client::Request;
use crate::harness::{PASSWORD, Reply, Server, report};

/// A route that reads JSON, and a body that it would accept.
struct Route {
    method: &'static str,
    path: &'static str,
    /// Whether the caller must show who they are.
    signed_in: bool,
    /// Whether the body may be missing.
    optional: bool,
    /// Whether the body is any JSON at all, without members of its own.
    free: bool,
    good: Value,
}

fn routes() -> Vec<Route> {
    let route = |method, path, signed_in, good| Route {
        method,
        path,
        signed_in,
        optional: false,
        free: false,
        good,
    };
    vec![
        route(
            "POST",
            "/api/v1/accounts",
            false,
            json!({ "username": "eve", "password": "a good long password" }),
        ),
        route(
            "POST",
            "/api/v1/login",
            false,
            json!({ "username": "ada", "password": PASSWORD, "carrier": "token" }),
        ),
        route("POST", "/api/v1/refresh", false, json!({ "refresh_token": "dwr_x" })),
        Route {
            optional: true,
            ..route("POST", "/api/v1/logout", true, json!({ "refresh_token": "dwr_x" }))
        },
        Route { optional: true, ..route("POST", "/api/v1/session", false, json!({})) },
        route("POST", "/api/v1/session/reauthenticate", true, json!({ "password": PASSWORD })),
        Route {
            free: true,
            ..route("PUT", "/api/v1/session/data/basket", true, json!({ "tea": 1 }))
        },
        route(
            "POST",
            "/api/v1/account/password",
            true,
            json!({ "current": PASSWORD, "new": "another good password" }),
        ),
    ]
}

/// A server with one account that is signed in, and what its database looks like.
struct Bench {
    server: Server,
    access: String,
    cookie: String,
    before: crate::harness::server::Rows,
    slowest: Option<(Duration, String)>,
}

impl Bench {
    async fn new() -> Self {
        let server = Server::start().await;
        let ada = server.member("ada").await;
        let access = server.tokens(&ada).await.access;
        let cookie = server.sign_in(&ada).await.cookie().unwrap();
        let before = server.rows();
        Self { server, access, cookie, before, slowest: None }
    }

    fn request(&self, route: &Route) -> Request {
        let request = self.server.client().request(route.method, route.path);
        if route.signed_in { request.bearer(&self.access) } else { request }
    }

    /// Sends it and checks what holds for every refusal, whatever it is for.
    async fn refused(&mut self, what: &str, request: Request) -> Reply {
        let begun = Instant::now();
        let reply = request.await;
        self.check(what, begun.elapsed(), reply)
    }

    fn check(&mut self, what: &str, took: Duration, reply: Reply) -> Reply {
        if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
            self.slowest = Some((took, what.to_owned()));
        }
        assert!(reply.status.is_client_error(), "{what}: {}", reply.describe());
        assert_eq!(self.server.rows(), self.before, "{what} was stored");
        assert!(!reply.text().contains("panicked"), "{what}: {}", reply.describe());
        reply
    }

    /// As [`refused`](Self::refused), with the whole problem document of this status and code.
    async fn problem(&mut self, what: &str, request: Request, status: u16, code: &str) -> Reply {
        let reply = self.refused(what, request).await;
        assert_eq!(reply.status.as_u16(), status, "{what}: {}", reply.describe());
        assert_eq!(reply.problem_code(), code, "{what}");
        reply.must_be_problem(status, code)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some((took, what)) = &self.slowest {
            report(&format!("the slowest refusal took {took:?}: {what}"));
        }
    }
}

#[tokio::test]
async fn malformed_json_is_400() {
    let mut bench = Bench::new().await;
    for route in routes() {
        let good = route.good.to_string();
        let mut texts: Vec<Vec<u8>> = [
            "{",
            "}",
            "{\"a\":}",
            "[1,",
            "nul",
            "{'a':1}",
            "{\"a\":1,}",
            "{a:1}",
            "// x",
            "NaN",
            "01",
            "\"\\x\"",
            "\"\u{1}\"",
            "\"\\ud800\"",
            " ",
            "{\"a\":1e999999}",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
        texts.push(format!("{good} x").into_bytes());
        texts.push(format!("{good}{good}").into_bytes());
        texts.push(format!("\u{feff}{good}").into_bytes());
        texts.push(good.encode_utf16().flat_map(u16::to_le_bytes).collect());
        texts.push(b"\"\xff\xfe\"".to_vec());
        texts.push(b"{\"\xc3\x28\":1}".to_vec());
        texts.push(vec![0; 16]);
        if !route.optional {
            texts.push(Vec::new());
        }
        for text in texts {
            let what = format!("{} {:?}", route.path, String::from_utf8_lossy(&text));
            let request = bench.request(&route).body("application/json", text);
            bench.problem(&what, request, 400, "malformed-json").await;
        }
    }
}

#[tokio::test]
async fn a_member_that_comes_twice_is_400_and_none_is_believed() {
    let mut bench = Bench::new().await;
    for route in routes() {
        let twice = r#"{"a":1,"a":2}"#;
        let request = bench.request(&route).body("application/json", twice);
        bench.problem(route.path, request, 400, "duplicate-member").await;
    }
    let login = format!(
        r#"{{"username":"nobody","username":"ada","password":"{PASSWORD}","carrier":"token"}}"#
    );
    let request = bench.server.client().post("/api/v1/login").body("application/json", login);
    bench.problem("two usernames", request, 400, "duplicate-member").await;
}

#[tokio::test]
async fn json_that_is_too_deep_is_400() {
    let mut bench = Bench::new().await;
    for route in routes() {
        for text in ["[".repeat(30_000), "{\"a\":".repeat(10_000)] {
            let request = bench.request(&route).body("application/json", text);
            let reply = bench.refused(route.path, request).await;
            assert_eq!(reply.status, 400, "{}", reply.describe());
            let code = reply.problem_code();
            assert!(["too-deep", "malformed-json"].contains(&code.as_str()), "{code}");
        }
    }
}

#[tokio::test]
async fn an_unknown_member_is_422_and_named() {
    let mut bench = Bench::new().await;
    for route in routes().into_iter().filter(|route| !route.free) {
        for name in ["role", "id", "password_hash", "_method", "Username", "a/b~c", ""] {
            let mut body = route.good.clone();
            body[name] = json!("x");
            let what = format!("{} {name:?}", route.path);
            let request = bench.request(&route).json(&body);
            let reply = bench.problem(&what, request, 422, "unknown-member").await;
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            assert_eq!(reply.json()["errors"][0]["pointer"], pointer, "{}", reply.describe());
        }
    }
}

#[tokio::test]
async fn a_member_of_the_wrong_kind_or_missing_is_422_and_named() {
    let mut bench = Bench::new().await;
    for route in routes().into_iter().filter(|route| !route.free) {
        for whole in ["[]", "1", "\"text\"", "true", "null"] {
            let request = bench.request(&route).body("application/json", whole);
            let what = format!("{} {whole}", route.path);
            bench.problem(&what, request, 422, "wrong-type").await;
        }
        for name in route.good.as_object().unwrap().keys() {
            for wrong in [json!(1), json!(["x"]), json!({})] {
                let mut body = route.good.clone();
                body[name] = wrong.clone();
                let what = format!("{} {name}: {wrong}", route.path);
                let request = bench.request(&route).json(&body);
                let reply = bench.problem(&what, request, 422, "wrong-type").await;
                let pointer = format!("/{name}");
                assert_eq!(reply.json()["errors"][0]["pointer"], pointer, "{what}");
            }
            if route.optional {
                continue;
            }
            let mut body = route.good.clone();
            body.as_object_mut().unwrap().remove(name);
            let what = format!("{} without {name}", route.path);
            let request = bench.request(&route).json(&body);
            let reply = bench.problem(&what, request, 422, "missing-member").await;
            assert_eq!(reply.json()["errors"][0]["pointer"], format!("/{name}"), "{what}");
        }
    }
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "pigeon" });
    let request = bench.server.client().post_json("/api/v1/login", &body);
    let reply = bench.refused("a carrier that is none", request).await;
    assert_eq!(reply.status, 422, "{}", reply.describe());
    assert_eq!(reply.json()["errors"][0]["pointer"], "/carrier");
}

#[tokio::test]
async fn another_media_type_is_415() {
    let mut bench = Bench::new().await;
    for route in routes() {
        let good = route.good.to_string();
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonx",
            "application/json, text/plain",
            "text/json",
            "",
        ] {
            let what = format!("{} {media_type:?}", route.path);
            let request = bench.request(&route).body(media_type, good.clone());
            bench.problem(&what, request, 415, "unsupported-media-type").await;
        }
        let request = bench.request(&route).untyped_body(good.clone());
        bench.problem(route.path, request, 415, "unsupported-media-type").await;
        for encoding in ["gzip", "br", "identity, gzip"] {
            let request = bench.request(&route).body("application/json", good.clone());
            let what = format!("{} {encoding}", route.path);
            let request = request.header("content-encoding", encoding);
            bench.problem(&what, request, 415, "unsupported-media-type").await;
        }
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413_however_it_is_sent() {
    const MAX: usize = 64 * 1024;
    let mut bench = Bench::new().await;
    for route in routes() {
        let padded = |length: usize| {
            let good = route.good.to_string();
            let spaces = " ".repeat(length - good.len());
            good + &spaces
        };
        for length in [MAX + 1, 1024 * 1024, 10 * 1024 * 1024] {
            let what = format!("{} {length} bytes", route.path);
            let request = bench.request(&route).body("application/json", padded(length));
            bench.problem(&what, request, 413, "body-too-large").await;
        }
        let mut chunked = Vec::new();
        for piece in padded(MAX + 1).as_bytes().chunks(16 * 1024) {
            chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        let request = bench.request(&route).body("application/json", chunked);
        let request = request.header("transfer-encoding", "chunked");
        let what = format!("{} in chunks", route.path);
        bench.problem(&what, request, 413, "body-too-large").await;
        // A length that is announced is refused before the body has come.
        let request = bench.request(&route).header("content-type", "application/json");
        let request = request.header("content-length", "99999999999").untyped_body("{");
        bench.problem(route.path, request, 413, "body-too-large").await;
    }
    // At the limit itself it is read.
    let mut body = json!({ "refresh_token": "dwr_x" }).to_string();
    body += &" ".repeat(MAX - body.len());
    let request = bench.server.client().post("/api/v1/refresh").body("application/json", body);
    bench.problem("64 KiB", request, 401, "invalid-refresh-token").await;
}

#[tokio::test]
async fn two_cookies_of_our_name_are_none_and_both_are_taken_away() {
    let mut bench = Bench::new().await;
    let origin = bench.server.origin.clone();
    let evil = format!("doorward={}", "A".repeat(43));
    let mut noted = 0;
    for both in [format!("{evil}; {}", bench.cookie), format!("{}; {evil}", bench.cookie)] {
        for route in routes().iter().filter(|route| route.signed_in) {
            // A body that names a refresh token would need nothing else.
            let is_logout = route.path == "/api/v1/logout";
            let body = if is_logout { json!({}) } else { route.good.clone() };
            let request = bench.server.client().request(route.method, route.path).json(&body);
            let request = request.cookie(&both).from_origin(&origin);
            let what = format!("{} with two cookies", route.path);
            let reply = bench.problem(&what, request, 401, "unauthenticated").await;
            assert!(reply.set_cookie().unwrap().clears());
            noted += 1;
        }
        let request = bench.server.client().get("/api/v1/session").cookie(&both);
        let reply = bench.problem("GET with two cookies", request, 401, "unauthenticated").await;
        assert!(reply.set_cookie().unwrap().clears());
        // In two header fields it is the same.
        let (first, second) = both.split_once("; ").unwrap();
        let request = bench.server.client().get("/api/v1/session").cookie(first).cookie(second);
        bench.problem("two Cookie fields", request, 401, "unauthenticated").await;
        noted += 2;
    }
    crate::harness::eventually("cookie.ambiguous in the log, once for each", async || {
        let count = bench.server.events(EventKind::CookieAmbiguous).await.len();
        (count == noted).then_some(())
    })
    .await;
    let request = bench.server.client().get("/api/v1/session").cookie(&bench.cookie);
    request.await.must_be(200);
}

#[tokio::test]
async fn two_authorization_headers_are_400() {
    let mut bench = Bench::new().await;
    let bearer = format!("Bearer {}", bench.access);
    for second in [bearer.as_str(), "Bearer garbage", "Basic YTpi", ""] {
        for route in routes() {
            let request = bench.server.client().request(route.method, route.path);
            let request = request.json(&route.good);
            let request = request.header("authorization", &bearer).header("authorization", second);
            let what = format!("{} {second:?}", route.path);
            bench.problem(&what, request, 400, "malformed-request").await;
        }
    }
}

#[tokio::test]
async fn oversize_header_fields_are_431_and_a_long_target_is_414() {
    let mut bench = Bench::new().await;
    let client = bench.server.client();
    let get = || client.get("/api/v1/session");
    let cookies = (0..500).map(|n| format!("c{n}=v")).collect::<Vec<_>>().join("; ");
    for (what, request) in [
        ("a cookie of 64 KiB", get().cookie(format!("a={}", "x".repeat(64 * 1024)))),
        ("a cookie of 9 KiB", get().cookie(format!("a={}", "x".repeat(9 * 1024)))),
        ("500 cookies", get().cookie(cookies)),
        ("a cookie's name of 8 KiB", get().cookie(format!("{}=a", "x".repeat(8 * 1024)))),
        ("a header of 20 KiB", get().header("x-large", "x".repeat(20 * 1024))),
        ("a token of 20 KB", get().bearer(&"x".repeat(20_000))),
    ] {
        bench.problem(what, request, 431, "headers-too-large").await;
    }
    let many = (0..200).fold(get(), |request, n| request.header(&format!("x-{n}"), "v".repeat(90)));
    bench.problem("200 header fields", many, 431, "headers-too-large").await;
    let request = client.get(&format!("/api/v1/session?{}", "x".repeat(5000)));
    bench.problem("a target of 5 KB", request, 414, "target-too-long").await;

    // Beyond what the edge reads at all, the connection itself answers, and closes.
    for (what, request) in [
        ("a header of 1 MiB", get().header("x-large", "x".repeat(1024 * 1024))),
        (
            "1000 header fields",
            (0..1000).fold(get(), |request, n| request.header(&format!("x-{n}"), "v")),
        ),
        ("a target of 1 MiB", client.get(&format!("/{}", "x".repeat(1024 * 1024)))),
    ] {
        let begun = Instant::now();
        let reply = client.raw(request.bytes()).await;
        let reply = bench.check(what, begun.elapsed(), reply);
        assert!([414, 431].contains(&reply.status.as_u16()), "{what}: {}", reply.describe());
    }
    client.get("/livez").await.must_be(200);
}

#[tokio::test]
async fn control_characters_in_a_request_are_400_and_close_it() {
    let mut bench = Bench::new().await;
    let client = bench.server.client();
    let good = String::from_utf8(client.get("/api/v1/session").bytes()).unwrap();
    let with = |field: &str| good.replacen("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), 1);
    for (what, bytes) in [
        ("NUL in a value", with("x-a: a\0b")),
        ("NUL in a cookie", with("cookie: doorward=a\0b")),
        ("a bell in a value", with("x-a: a\x07b")),
        ("DEL in a value", with("x-a: a\x7fb")),
        ("a bare CR", with("x-a: a\rb")),
        ("a control in a name", with("x\x01a: b")),
        ("a space before the colon", with("x-a : b")),
        ("a folded line", with("x-a: b\r\n c")),
        ("a line without a colon", with("garbage")),
        ("NUL in the target", good.replacen("/api/v1/session", "/api\0", 1)),
        ("no HTTP at all", "garbage\r\n\r\n".to_owned()),
        ("an unknown version", good.replacen("HTTP/1.1", "HTTP/9.9", 1)),
    ] {
        let begun = Instant::now();
        let replies = client.raw_until_closed(bytes).await;
        let took = begun.elapsed();
        assert_eq!(replies.len(), 1, "{what}: one answer, then the end");
        let reply = bench.check(what, took, replies.into_iter().next().unwrap());
        assert_eq!(reply.status, 400, "{what}: {}", reply.describe());
    }
}

#[tokio::test]
async fn control_characters_in_names_are_422_and_stored_nowhere() {
    let mut bench = Bench::new().await;
    for name in ["a\0b", "a\u{7}b", "a\tb", "a\nb", "a\u{7f}b", "a\u{202e}b", "a\u{200b}b", ""] {
        let body = json!({ "username": name, "password": PASSWORD });
        let request = bench.server.client().post_json("/api/v1/accounts", &body);
        let reply = bench.refused(&format!("{name:?}"), request).await;
        assert_eq!(reply.status, 422, "{name:?}: {}", reply.describe());
        assert!(reply.problem_code().starts_with("username-"), "{}", reply.describe());
        assert_eq!(reply.json()["errors"][0]["pointer"], "/username");
        let body = json!({ "username": name, "password": PASSWORD, "carrier": "token" });
        let request = bench.server.client().post_json("/api/v1/login", &body);
        bench.problem(&format!("{name:?}"), request, 401, "wrong-credentials").await;
    }
    for email in ["a\0@b.example", "a@b\r\nBcc: c@d.example", "a b@c.example", "no address"] {
        let body = json!({ "username": "eve", "email": email, "password": PASSWORD });
        let request = bench.server.client().post_json("/api/v1/accounts", &body);
        bench.problem(&format!("{email:?}"), request, 422, "invalid-email").await;
    }
    for scope in ["a\0b", "a\"b", "a\\b", "a\nb", "é"] {
        let body = json!({
            "username": "ada", "password": PASSWORD, "carrier": "token", "scope": scope,
        });
        let request = bench.server.client().post_json("/api/v1/login", &body);
        bench.problem(&format!("{scope:?}"), request, 422, "malformed-scope").await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_name_nobody() {
    let mut bench = Bench::new().await;
    let client = bench.server.client();
    let get = || client.get("/api/v1/session");
    let request = get().cookie([b"doorward=".as_slice(), &[0xFF; 43]].concat());
    bench.problem("a cookie of 0xFF", request, 401, "unauthenticated").await;
    let request = get().header("authorization", b"Bearer \xff\xfe");
    bench.problem("a token of 0xFF", request, 401, "invalid_token").await;
    let origin = client.post("/api/v1/session").header("origin", b"http://\xff");
    bench.problem("an origin of 0xFF", origin, 403, "csrf-rejected").await;
    let site = client.post("/api/v1/session").header("sec-fetch-site", b"same-origin\xff");
    bench.problem("a fetch site of 0xFF", site, 403, "csrf-rejected").await;
    let host = client.get("/api/v1/session").without("host").header("host", b"localhost\xff");
    bench.problem("a host of 0xFF", host, 421, "unknown-host").await;
    let media = client.post("/api/v1/refresh").header("content-type", b"application/json\xff");
    let media = media.untyped_body("{}");
    bench.problem("a media type of 0xFF", media, 415, "unsupported-media-type").await;
    let form = client.post("/login").body("application/x-www-form-urlencoded", "username=%FF");
    let reply = bench.refused("a form of 0xFF", form).await;
    // Replaced by a sign, two different passwords would be one.
    assert_eq!(reply.status, 400, "{}", reply.describe());
}

#[tokio::test]
async fn a_path_or_a_query_that_cannot_be_read_gets_the_same_clear_error() {
    let mut bench = Bench::new().await;
    let bearer = |request: Request| request.bearer(&bench.access);
    let client = bench.server.client();
    let requests = [
        ("a sid of 0xFF", bearer(client.delete("/api/v1/sessions/%FF"))),
        ("a key of 0xFF", bearer(client.put_json("/api/v1/session/data/%FF", &json!(1)))),
        ("a limit that is no number", bearer(client.get("/api/v1/sessions?limit=many"))),
        ("a limit below zero", bearer(client.get("/api/v1/sessions?limit=-1"))),
        (
            "a limit beyond any number",
            bearer(client.get("/api/v1/sessions?limit=99999999999999999999")),
        ),
        ("two limits", bearer(client.get("/api/v1/sessions?limit=1&limit=2"))),
        ("a query of another", bearer(client.delete("/api/v1/sessions?exept=current"))),
        ("two exceptions", bearer(client.delete("/api/v1/sessions?except=current&except=all"))),
    ];
    for (what, request) in requests {
        let reply = bench.refused(what, request).await;
        let media_type = reply.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"), "{what}: {}", reply.describe());
        let (status, code) = (reply.status.as_u16(), reply.problem_code());
        reply.must_be_problem(status, &code);
    }
}

#[tokio::test]
async fn a_path_or_a_method_that_is_none_gets_the_same_clear_error() {
    let mut bench = Bench::new().await;
    let client = bench.server.client();
    for path in ["/api/v1/nothing", "/api/v2/session", "/api/v1/session/", "/api/v1//session"] {
        let request = client.get(path);
        bench.problem(path, request, 404, "not-found").await;
    }
    for (method, path) in [
        ("GET", "/api/v1/login"),
        ("PUT", "/api/v1/login"),
        ("PATCH", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("TRACE", "/api/v1/session"),
        ("FOO", "/api/v1/session"),
        ("POST", "/api/v1/sessions"),
    ] {
        let request = client.request(method, path);
        let what = format!("{method} {path}");
        let reply = bench.problem(&what, request, 405, "method-not-allowed").await;
        let allowed = reply.header("allow");
        assert!(allowed.is_some_and(|allow| !allow.is_empty()), "{what}: RFC 9110, section 15.5.6");
    }
    let reply = client.get("/no-such-page").await.must_be(404);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
}

#[tokio::test]
async fn forms_are_read_as_strictly_as_json() {
    let mut bench = Bench::new().await;
    let client = bench.server.client();
    for path in ["/login", "/register", "/setup"] {
        let twice = format!("username=nobody&username=ada&password={PASSWORD}");
        let form = "application/x-www-form-urlencoded";
        let reply = bench.refused(path, client.post(path).body(form, twice)).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.describe());
        let long = format!("username={}", "a".repeat(70_000));
        let reply = bench.refused(path, client.post(path).body(form, long)).await;
        assert_eq!(reply.status, 413, "{path}");
        let json = json!({ "username": "ada", "password": PASSWORD });
        let reply = bench.refused(path, client.post_json(path, &json)).await;
        assert_eq!(reply.status, 415, "{path}");
        let multipart = client.post(path).body("multipart/form-data; boundary=x", "--x--");
        let reply = bench.refused(path, multipart).await;
        assert_eq!(reply.status, 415, "{path}");
        let reply = bench.refused(path, client.post(path).body(form, "")).await;
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
}
