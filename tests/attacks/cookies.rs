//! Cookies: tossed, spoofed, smuggled, oversized; what we set, and how much chance is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::event::EventKind;
use doorward_server::flow::setup;
use doorward_server::routes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Clean;
use crate::harness::client::Request;
use crate::harness::reply::SetCookie;
use crate::harness::{Browser, OTHER_PASSWORD, PASSWORD, Reply, Server, report};

/// A well-formed secret that no session answers to.
const NOBODYS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Attack 3 (RFC 6265bis, section 5.8.3): a sibling domain, or a script of it, tosses a second
/// cookie of our name. Nobody can say which is the owner's, so neither counts, in either order.
#[tokio::test]
async fn two_cookies_of_our_name_are_neither() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let mallory = server.member("mallory").await;
    let owner = server.sign_in(&alice).await;
    let (good, evil) = (owner.secret(), server.sign_in(&mallory).await.secret());
    let name = server.cookie_name();
    let cookie = |value: &str| format!("{name}={value}");
    let ask = |fields: &[String]| {
        let mut request = server.client().get("/api/v1/session");
        for field in fields {
            request = request.cookie(field);
        }
        request
    };
    ask(&[cookie(&good)]).await.clean().must_be(200);

    for (one, other) in [
        (good.as_str(), evil.as_str()),
        (evil.as_str(), good.as_str()),
        (good.as_str(), good.as_str()),
        (good.as_str(), NOBODYS),
        (NOBODYS, good.as_str()),
        (good.as_str(), "evil"),
        ("", good.as_str()),
    ] {
        let (one, other) = (cookie(one), cookie(other));
        for fields in [
            vec![format!("{one}; {other}")],
            vec![format!("{one};{other}")],
            vec![format!("theme=dark; {one}; lang=de; {other}")],
            vec![one.clone(), other.clone()],
        ] {
            let reply = ask(&fields).await.clean();
            assert!(reply.set_cookie().is_some_and(|set| set.clears()), "{}", reply.describe());
            reply.must_be_problem(401, "unauthenticated");
        }
    }
    let both = format!("{}; {}", cookie(&good), cookie(&evil));
    let page = server.client().get("/account").cookie(&both).await.clean().must_be(303);
    assert!(page.location().starts_with("/login"), "{}", page.describe());
    let logout = server.client().post("/api/v1/logout").cookie(&both).from_origin(&server.origin);
    logout.await.clean().must_be_problem(401, "unauthenticated");
    server.event(EventKind::CookieAmbiguous).await;

    ask(&[cookie(&good)]).await.clean().must_be(200);
    ask(&[cookie(&evil)]).await.clean().must_be(200);
}

/// Attack 3: a login with two cookies takes over nothing of either, and gives one new secret.
#[tokio::test]
async fn a_login_with_two_cookies_takes_nothing_from_either() {
    let server = Server::start().await;
    let (alice, bob) = (server.member("alice").await, server.member("bob").await);
    let (one, other) = (server.browser(), server.browser());
    for browser in [&one, &other] {
        browser.post("/api/v1/session").await.must_be(201);
        browser.put_json("/api/v1/session/data/basket", &json!("trap")).await.must_be(201);
    }
    let cookies = format!("doorward={}; doorward={}", one.secret(), other.secret());
    let browser = Browser::new(server.client().always("cookie", cookies), &server.origin);
    let login = server.sign_in_with(&browser, &alice, json!({"carry": ["basket"]})).await;
    let login = login.clean().must_be(200);
    assert_eq!(login.json()["session"]["data"], json!({}));
    let given = login.set_cookie().unwrap().value;
    assert!(![one.secret(), other.secret()].contains(&given));
    for browser in [&one, &other] {
        assert!(browser.is_signed_in().await, "what was not shown to be the owner's is left alone");
    }
    server.sign_in(&bob).await;
}

/// Attack 4 (RFC 6265bis, sections 4.1.3 and 5.7): names that a browser does not guard, and that a
/// lenient parser takes for ours.
#[tokio::test]
async fn a_name_that_only_looks_like_ours_is_not_ours() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let secret = server.sign_in(&alice).await.secret();
    let ask = |cookie: String| server.client().get("/api/v1/session").cookie(cookie);
    ask(format!("__Host-Http-doorward={secret}")).await.clean().must_be(200);
    for name in [
        "__host-Http-doorward",
        "__HOST-HTTP-DOORWARD",
        "__Host-http-doorward",
        "__Host-doorward",
        "__Secure-doorward",
        "__Http-doorward",
        "doorward",
        "%5F_Host-Http-doorward",
        "__Host-Http-doorwar%64",
        "=__Host-Http-doorward",
        "==__Host-Http-doorward",
        "\t__Host-Http-doorward",
        "__Host-Http-doorward ",
        "__Host-Http-doorward\t",
        "__Host-Http-doorward[]",
        "__Host-Http-doorward.0",
        "\"__Host-Http-doorward\"",
        "$__Host-Http-doorward",
        "\u{feff}__Host-Http-doorward",
        "__Host\u{2010}Http-doorward",
    ] {
        for cookie in [format!("{name}={secret}"), format!("a=b; {name}={secret}; c=d")] {
            // A space or a tab before the first name is the field's own and no part of it.
            if cookie.starts_with('\t') {
                continue;
            }
            let reply = ask(cookie.clone()).await.clean();
            assert_eq!(reply.status, 401, "{cookie:?}: {}", reply.describe());
        }
    }
    // Two spaces are one too many: RFC 6265, section 4.2.1, has exactly one.
    ask(format!("a=b;  __Host-Http-doorward={secret}")).await.clean().must_be(401);

    let development = Server::start().await;
    let bob = development.member("bob").await;
    let secret = development.sign_in(&bob).await.secret();
    let ask = |cookie: String| development.client().get("/api/v1/session").cookie(cookie);
    ask(format!("doorward={secret}")).await.clean().must_be(200);
    for name in ["__Host-Http-doorward", "Doorward", "DOORWARD", "d%6forward", "__Host-doorward"] {
        ask(format!("{name}={secret}")).await.clean().must_be(401);
    }
}

/// Attack 5 (RFC 6265bis, section 4.2): what RFC 2109, PHP or a browser's quirks would make of a
/// cookie is not made of it here.
#[tokio::test]
async fn a_cookie_is_read_byte_for_byte() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let good = server.sign_in(&alice).await.secret();
    let ask = |cookie: Vec<u8>| server.client().get("/api/v1/session").cookie(cookie);
    for honest in [
        format!("doorward={good}"),
        format!("a=b; doorward={good}; c=d"),
        format!("\"quoted\"=\"x y\"; doorward={good}"),
        format!("$Version=1; doorward={good}; $Path=/"),
        format!("ünï=côdé; doorward={good}; ,=,"),
        format!("; ; =; doorward={good}; ;"),
    ] {
        let reply = ask(honest.clone().into_bytes()).await.clean();
        assert_eq!(reply.status, 200, "{honest:?}: {}", reply.describe());
    }
    for evil in [
        format!("$Version=1; doorward=\"{good}\""),
        format!("doorward=\"{good}\"; $Path=\"/\""),
        format!("a=b, doorward={good}"),
        format!("a=b,doorward={good}"),
        format!("a=b\tdoorward={good}"),
        format!("a=b;\tdoorward={good}"),
        format!("a=b doorward={good}"),
        format!("a=b&doorward={good}"),
        format!("doorward:{good}"),
        format!("doorward = {good}"),
        format!("doorward= {good}"),
        format!("doorward={good} ; a=b"),
        format!("doorward={good}\t; a=b"),
        format!("doorward={good}, a=b"),
        format!("doorward={good}=; a=b"),
        format!("doorward={good}\u{e9}; a=b"),
        format!("doorward=\u{feff}{good}"),
        format!("doorward={}", good.replace('-', "+").replace('_', "/") + "="),
        format!("doorward=%{:02x}{}", good.as_bytes()[0], &good[1..]),
        format!("doorward={}", &good[1..]),
        format!("doorward={good}{good}"),
        // Quotes hide nothing: this is a second cookie of our name, and so there is none.
        format!("doorward={good}; x=\"a; doorward={NOBODYS}; b\""),
    ] {
        let reply = ask(evil.clone().into_bytes()).await.clean();
        assert_eq!(reply.status, 401, "{evil:?}: {}", reply.describe());
    }
    for control in (0..0x20_u8).chain([0x7F]).filter(|byte| *byte != b'\t') {
        for cookie in [
            [b"doorward=", good.as_bytes(), &[control], b"; a=b"].concat(),
            [b"a=b", &[control][..], b"; doorward=", good.as_bytes()].concat(),
            [b"a=b;", &[control][..], b"doorward=", good.as_bytes()].concat(),
        ] {
            let mut request = format!("GET /api/v1/session HTTP/1.1\r\nhost: {}\r\ncookie: ", {
                server.origin.trim_start_matches("http://")
            })
            .into_bytes();
            request.extend(cookie);
            request.extend(b"\r\nconnection: close\r\n\r\n");
            let reply = server.client().raw(request).await;
            let status = reply.status.as_u16();
            assert!(status == 400 || status == 401, "{control:#x}: {}", reply.describe());
        }
    }
}

/// Attack 6 (RFC 6265bis, section 6.1; ASVS 5.0, 3.3.5): too much of a cookie.
#[tokio::test]
async fn oversized_cookies_are_refused_and_the_next_request_is_served() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let good = server.sign_in(&alice).await.secret();
    let ask = |cookie: &str| {
        let client = server.client();
        let cookie = format!("{cookie}; doorward={good}");
        async move { client.get("/api/v1/session").cookie(cookie).await }
    };
    ask("theme=dark").await.clean().must_be(200);
    // As much as a browser keeps for one site still passes.
    let many = |count: usize| vec!["n=v"; count].join("; ");
    ask(&many(179)).await.clean().must_be(200);

    let oversized = [
        ("64 KiB in one cookie", format!("a={}", "x".repeat(64 * 1024))),
        ("256 KiB in one cookie", format!("a={}", "x".repeat(256 * 1024))),
        ("500 cookies", many(500)),
        ("180 cookies and ours", many(180)),
        ("a name of 8 KiB", format!("{}=v", "n".repeat(8 * 1024))),
        ("30 000 semicolons", ";".repeat(30_000)),
    ];
    for (what, cookie) in &oversized {
        let (ticks, begun) = (cpu_ticks(), Instant::now());
        for _ in 0..20 {
            let reply = ask(cookie).await;
            let status = reply.status.as_u16();
            assert!(status == 431 || status == 400, "{what}: {}", reply.describe());
            assert!(reply.set_cookie().is_none());
        }
        let (ticks, took) = (cpu_ticks() - ticks, begun.elapsed() / 20);
        report(&format!("{what}: {took:?} a request, CPU (both ends) {} µs", ticks * 10_000 / 20));
        ask("theme=dark").await.clean().must_be(200);
    }
    // Three hundred fields, each of them small.
    let mut request = server.client().get("/api/v1/session");
    for _ in 0..300 {
        request = request.cookie("a=b");
    }
    let status = request.await.status.as_u16();
    assert!(status == 431 || status == 400, "{status}");
    ask("theme=dark").await.clean().must_be(200);
}

/// The processor time this process has used, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Attack 7 (ASVS 5.0, 3.3.1 to 3.3.5; NIST SP 800-63B-4, section 5.1.1): every cookie that any
/// route sets, in production.
#[tokio::test]
async fn every_cookie_of_every_route_has_every_attribute() {
    let server = Server::production(|_| {}).await;
    let mut seen = BTreeMap::new();
    for (number, route) in routes::table().into_iter().enumerate() {
        for signed_in in [false, true] {
            let name = format!("crawler{number}");
            let member = server.member(&format!("{name}-{signed_in}")).await;
            let browser = if signed_in { server.sign_in(&member).await } else { server.browser() };
            let request = honest(&server, &browser, &route, &member.username).await;
            let reply = browser.send(request).await;
            assert!(reply.status.as_u16() < 500, "{}", reply.describe());
            reply.set_cookies().iter().for_each(assert_has_attributes);
            let Some(set) = reply.set_cookie() else { continue };
            assert_is_right(&set, &reply, &member.username);
            let kind = if set.clears() { "clears" } else { "sets" };
            seen.insert(format!("{kind} {} {}", route.method, route.path), set);
        }
    }
    for known in [
        "sets POST /api/v1/account/password",
        "sets POST /api/v1/login",
        "sets POST /api/v1/session",
        "sets POST /api/v1/session/reauthenticate",
        "sets POST /account/password",
        "sets POST /login",
        "sets POST /register",
        "sets POST /setup",
        "clears DELETE /api/v1/sessions",
        "clears DELETE /api/v1/sessions/{sid}",
        "clears POST /api/v1/logout",
        "clears POST /account/sessions/end",
        "clears POST /logout",
    ] {
        assert!(seen.contains_key(known), "{known} was not seen: {:?}", seen.keys());
    }
    let kept = &seen["sets POST /api/v1/login"];
    assert_eq!(kept.max_age(), Some(30 * 24 * 3600), "remembered, and not past the session's end");
    assert_eq!(seen["sets POST /login"].max_age(), None, "ends with the browser's session");
}

/// The request that a route is there for.
async fn honest(
    server: &Server,
    browser: &Browser,
    route: &routes::Route,
    username: &str,
) -> Request {
    let sid = match browser.cookie() {
        Some(_) => browser.sid().await,
        None => "ses_00000000000000000000000000".to_owned(),
    };
    let path = route.path.replace("{sid}", &sid).replace("{key}", "basket");
    let request = browser.request(route.method.as_str(), &path);
    let new_name = format!("new-{username}");
    let form: Vec<(&str, &str)> = match route.path {
        "/login" => vec![("username", username), ("password", PASSWORD)],
        "/register" => vec![("username", &new_name), ("password", PASSWORD)],
        "/account/sessions/end" => vec![("sid", &sid)],
        "/account/password" => vec![("current", PASSWORD), ("new", OTHER_PASSWORD)],
        _ => vec![],
    };
    let json = match route.path {
        "/api/v1/accounts" => json!({"username": new_name, "password": PASSWORD}),
        "/api/v1/login" => json!({"username": username, "password": PASSWORD,
            "carrier": "cookie", "remember": true}),
        "/api/v1/session/reauthenticate" => json!({"password": PASSWORD}),
        "/api/v1/account/password" => json!({"current": PASSWORD, "new": OTHER_PASSWORD}),
        "/api/v1/refresh" => json!({"refresh_token": format!("dwr_{NOBODYS}")}),
        _ => json!({}),
    };
    match (&route.method, route.path) {
        (&Method::GET | &Method::DELETE, _) | (_, "/api/v1/logout") => request,
        (_, "/setup") => {
            let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
            let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
            request.form(&[("code", &code), ("username", &new_name), ("password", PASSWORD)])
        }
        (_, path) if path.starts_with("/api/") => request.json(&json),
        _ => request.form(&form),
    }
}

/// What every cookie of ours has, the bound one too.
#[track_caller]
fn assert_has_attributes(set: &SetCookie) {
    assert!(set.name.starts_with("__Host-"), "{set:?}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.has(attribute), "{attribute} is missing: {set:?}");
    }
    let has_domain = |text: &String| text.to_ascii_lowercase().starts_with("domain");
    assert!(!set.attributes.iter().any(has_domain), "{set:?}");
    assert!(set.name.len() + set.value.len() < 200, "{set:?}");
    assert!(set.max_age().is_none_or(|seconds| seconds <= 400 * 24 * 3600), "{set:?}");
}

#[track_caller]
fn assert_is_right(set: &SetCookie, reply: &Reply, username: &str) {
    assert_eq!(set.name, "__Host-Http-doorward", "{set:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{}", reply.describe());
    if set.clears() {
        return;
    }
    assert_eq!(set.value.len(), 43, "{set:?}");
    let bytes = Base64UrlUnpadded::decode_vec(&set.value).unwrap();
    assert_eq!(bytes.len(), 32, "{set:?}");
    assert!(!is_text(&bytes) && !set.value.contains(username), "{set:?}");
    if !reply.body.is_empty() {
        assert!(!String::from_utf8_lossy(&reply.body).contains(&set.value), "the body repeats it");
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// Attack 8 (ASVS 5.0, 7.2.3): twenty thousand secrets, looked at as an attacker would.
///
/// The bounds are so wide that chance alone crosses one of them less than once in ten million runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_secrets_show_no_pattern() {
    const COUNT: usize = 20_000;
    const CONNECTIONS: usize = 64;
    let server = Server::start().await;
    let begun = Instant::now();
    let mut collecting = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let share = COUNT / CONNECTIONS + usize::from(number < COUNT % CONNECTIONS);
        collecting.spawn(secrets(server.address, server.origin.clone(), share));
    }
    let texts = collecting.join_all().await.concat();
    report(&format!("{COUNT} anonymous sessions in {:?}", begun.elapsed()));
    assert_eq!(texts.len(), COUNT);
    assert_eq!(server.rows().session, COUNT as u64, "each of them is a session");
    let honest = server.client().get("/api/v1/session").cookie(format!("doorward={}", texts[0]));
    honest.await.clean().must_be(200);

    let secrets: BTreeSet<Vec<u8>> =
        texts.iter().map(|text| Base64UrlUnpadded::decode_vec(text).unwrap()).collect();
    assert_eq!(secrets.len(), COUNT, "all distinct");
    assert!(secrets.iter().all(|secret| secret.len() == 32 && !is_text(secret)));
    assert_shares_nothing(&secrets);
    let reversed = secrets.iter().map(|secret| secret.iter().rev().copied().collect()).collect();
    assert_shares_nothing(&reversed);
    for position in 0..32 {
        let mut counts = [0_u32; 256];
        for secret in &secrets {
            counts[usize::from(secret[position])] += 1;
        }
        let expected = 20_000.0 / 256.0;
        let chi_square: f64 =
            counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        // 255 degrees of freedom: 255 on average, with a deviation of 22.6.
        assert!((130.0..430.0).contains(&chi_square), "byte {position}: {chi_square}");
        for bit in 0..8 {
            let ones: u32 = (0..256).filter(|byte| byte >> bit & 1 == 1).map(|b| counts[b]).sum();
            // 10 000 on average, with a deviation of 71.
            assert!((9_540..=10_460).contains(&ones), "byte {position}, bit {bit}: {ones}");
        }
    }
}

/// Of 200 million pairs the closest share some 28 bits by chance. Eight bytes are no chance.
#[track_caller]
fn assert_shares_nothing(sorted: &BTreeSet<Vec<u8>>) {
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        assert_ne!(one[..8], next[..8], "two secrets share eight bytes");
    }
}

/// Opens anonymous sessions one after the other on one connection, and gives their secrets.
async fn secrets(address: std::net::SocketAddr, origin: String, count: usize) -> Vec<String> {
    let host = origin.trim_start_matches("http://");
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\
         content-length: 0\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut secrets, mut read) = (Vec::with_capacity(count), Vec::new());
    for _ in 0..count {
        stream.write_all(request.as_bytes()).await.unwrap();
        let length = loop {
            if let Some(length) = whole(&read) {
                break length;
            }
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the server closed");
        };
        let answer = String::from_utf8(read.drain(..length).collect()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let (_, rest) = answer.split_once("set-cookie: doorward=").unwrap();
        secrets.push(rest.split_once(';').unwrap().0.to_owned());
    }
    secrets
}

/// The length of the first whole answer.
fn whole(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).unwrap();
    let (_, rest) = text.split_once("content-length: ").unwrap();
    let length: usize = rest.split_once("\r\n").unwrap().0.parse().unwrap();
    (read.len() >= head + length).then_some(head + length)
}

/// Attack 9 (OWASP cheat sheet Session Management, "used vs. accepted"): a session's secret, or its
/// id, anywhere but in its cookie.
#[tokio::test]
async fn a_secret_counts_in_its_cookie_and_nowhere_else() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let (secret, sid) = (browser.secret(), browser.sid().await);
    let client = server.client();
    client.get("/api/v1/session").cookie(format!("doorward={secret}")).await.clean().must_be(200);

    for proof in [&secret, &sid] {
        for target in [
            format!("/api/v1/session?doorward={proof}"),
            format!("/api/v1/session?session={proof}&sid={proof}&access_token={proof}"),
            format!("/account?doorward={proof}"),
            format!("/api/v1/session;doorward={proof}"),
            format!("/api/v1/session;jsessionid={proof}"),
            format!("/account;jsessionid={proof}"),
            format!("/api/v1/session/{proof}"),
        ] {
            let reply = client.get(&target).await.clean();
            let status = reply.status.as_u16();
            assert!(matches!(status, 401 | 404 | 303), "{target}: {}", reply.describe());
            assert!(status != 303 || reply.location().starts_with("/login"), "{target}");
            assert!(reply.set_cookie().is_none(), "{target}");
        }
        for name in [
            "x-session",
            "x-session-token",
            "x-auth-token",
            "x-doorward",
            "doorward",
            "cookie2",
            "set-cookie",
            "proxy-authorization",
        ] {
            for value in [proof.clone(), format!("doorward={proof}"), format!("Bearer {proof}")] {
                let request = client.get("/api/v1/session").header(name, &value);
                request.await.clean().must_be_problem(401, "unauthenticated");
            }
        }
        for scheme in ["Bearer", "Cookie", "Session", "Basic", "doorward"] {
            let value = format!("{scheme} {proof}");
            let request = client.get("/api/v1/session").header("authorization", value);
            request.await.clean().must_be_problem(401, "invalid_token");
        }
        let body: Value = json!({"doorward": proof});
        client.get("/api/v1/session").json(&body).await.clean().must_be(401);
        client.get("/api/v1/session").cookie(format!("doorward={sid}")).await.clean().must_be(401);
    }
}
