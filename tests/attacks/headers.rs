//! Header injection: a line break in what we repeat, which would begin a header field of the
//! attacker's, or a second answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Clean;
use crate::harness::client::Request;
use crate::harness::{PASSWORD, Reply, Server};

/// Line breaks, as they are and in every disguise that some layer takes off.
const BREAKS: [&str; 12] = [
    "\r\nX-Injected: 1",
    "\r\nSet-Cookie: doorward=evil",
    "\nX-Injected: 1",
    "\rX-Injected: 1",
    "%0d%0aX-Injected:%201",
    "%0D%0ASet-Cookie:%20doorward=evil",
    "%250d%250aX-Injected:%201",
    "\\r\\nX-Injected: 1",
    "\u{560D}\u{560A}X-Injected: 1",
    "\u{2028}X-Injected: 1",
    "\u{85}X-Injected: 1",
    "\0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
];

/// The names of an answer's header fields, and how often each stands there.
fn names(reply: &Reply) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for name in reply.headers.keys() {
        names.insert(name.to_string(), reply.headers.get_all(name).iter().count());
    }
    names
}

/// No field that an honest answer of ours does not have, and none with a value of the attacker's.
#[track_caller]
fn assert_nothing_injected(reply: &Reply, what: &str) {
    const KNOWN: [&str; 19] = [
        "allow",
        "cache-control",
        "clear-site-data",
        "content-length",
        "content-security-policy",
        "content-type",
        "connection",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "date",
        "location",
        "referrer-policy",
        "retry-after",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-content-type-options",
        "x-request-id",
        "etag",
    ];
    for (name, count) in names(reply) {
        assert!(KNOWN.contains(&name.as_str()), "{what}: {name}: {}", reply.describe());
        assert_eq!(count, 1, "{what}: {name}: {}", reply.describe());
    }
    if let Some(set) = reply.set_cookie() {
        assert_ne!(set.value, "evil", "{what}: {}", reply.describe());
    }
    for (name, value) in &reply.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        assert!(!value.contains(['\r', '\n', '\0']), "{what}: {name}: {value:?}");
    }
}

/// Attack 72 (RFC 9110, section 5.5): in a query or a path, which a redirect or an error repeats.
#[tokio::test]
async fn a_line_break_in_an_address_begins_no_header() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let plain = names(&browser.get("/login?return_to=/account").await.clean().must_be(200));
    for text in BREAKS {
        // An address is sent encoded: once, as every client does.
        let encoded: String = text
            .bytes()
            .map(|byte| match byte {
                b'%' => "%".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        for target in [
            format!("/login?return_to=/account{encoded}"),
            format!("/login?return_to={encoded}"),
            format!("/login?said={encoded}&another={encoded}"),
            format!("/register?return_to=/x{encoded}"),
            format!("/account?said={encoded}"),
            format!("/logout?{encoded}={encoded}"),
            format!("/{encoded}"),
            format!("/assets/{encoded}/style.css"),
            format!("/assets/x/{encoded}"),
            format!("/.well-known/{encoded}"),
            format!("/api/v1/sessions?limit={encoded}"),
            format!("/api/v1/sessions?cursor={encoded}"),
            format!("/api/v1/{encoded}"),
        ] {
            let reply = browser.get(&target).await;
            assert!(reply.status.as_u16() < 500, "{target}: {}", reply.describe());
            assert_nothing_injected(&reply, &target);
            if target.starts_with("/login?return_to") {
                assert_eq!(names(&reply), plain, "{target}");
            }
        }
        let request = browser.request("PUT", &format!("/api/v1/session/data/{encoded}"));
        let reply = browser.send(request.json(&json!(1))).await.clean();
        assert_nothing_injected(&reply, text);
        let request = browser.request("DELETE", &format!("/api/v1/sessions/{encoded}"));
        let reply = browser.send(request).await.clean().must_be(404);
        assert_nothing_injected(&reply, text);
    }
}

/// Attack 72: in a form, whose `return_to` becomes a `Location`.
#[tokio::test]
async fn a_line_break_in_a_form_begins_no_header() {
    let server = Server::start().await;
    server.member("alice").await;
    let client = server.client();
    let login = |return_to: &str| {
        let form = [("username", "alice"), ("password", PASSWORD), ("return_to", return_to)];
        client.post_form("/login", &form).from_origin(&server.origin)
    };
    let honest = login("/account?tab=1").await.clean().must_be(303);
    assert_eq!(honest.location(), "/account?tab=1");
    for text in BREAKS {
        for return_to in [format!("/account{text}"), text.to_owned(), format!("/{text}/")] {
            let reply = login(&return_to).await.clean().must_be(303);
            assert_nothing_injected(&reply, &return_to);
            assert_eq!(names(&reply), names(&honest), "{return_to:?}");
            // What is a path stays as it was sent, still encoded; what is none leads home.
            let location = reply.location();
            assert!(location == return_to || location == "/account", "{return_to:?}: {location:?}");
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?}");
        }
        let form = [("username", text), ("password", PASSWORD), ("email", text)];
        for path in ["/login", "/register"] {
            let reply = client.post_form(path, &form).from_origin(&server.origin).await.clean();
            assert!(matches!(reply.status.as_u16(), 401 | 422), "{}", reply.describe());
            assert_nothing_injected(&reply, text);
        }
        let form = [("code", text), ("username", "root"), ("password", PASSWORD)];
        let reply = client.post_form("/setup", &form).from_origin(&server.origin).await.clean();
        assert_nothing_injected(&reply.must_be(403), text);
    }
}

/// Attack 72: in JSON, whose scope and audience go into tokens and whose names go into logs.
#[tokio::test]
async fn a_line_break_in_json_begins_no_header() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let client = server.client();
    let login = |member: &str, value: Value| {
        let mut body = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
        body[member] = value;
        client.post_json("/api/v1/login", &body)
    };
    let honest = login("scope", json!("profile email")).await.clean().must_be(200);
    assert_eq!(honest.json()["scope"], "profile email");
    for text in BREAKS {
        let mut replies = Vec::new();
        for member in ["username", "password", "audience", "scope", "carrier"] {
            let value = json!(format!("profile{text}"));
            let reply = login(member, value).await.clean();
            let status = reply.status.as_u16();
            // A percent sign may stand in the name of a scope: such a name is nobody's here.
            let granted = member == "scope" && status == 200;
            assert!(granted || matches!(status, 401 | 422), "{member}: {}", reply.describe());
            if granted {
                assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
                assert_eq!(reply.json()["scope"], "", "{text:?}");
            }
            replies.push(reply);
        }
        replies.push(login("carry", json!([text])).await.clean().must_be(422));
        replies.push(login(text, json!(1)).await.clean().must_be(422));
        replies.push(server.refresh(text).await.clean().must_be(401));
        for reply in replies {
            assert_nothing_injected(&reply, text);
        }
    }
    server.sign_in(&alice).await;
}

/// Attack 72 (RFC 9112, sections 2.2 and 5.2): in a header field that we read, repeat or keep. A
/// bare CR, LF or NUL in a field is no request at all.
#[tokio::test]
async fn a_line_break_in_a_header_begins_no_header() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let honest = names(&browser.get("/api/v1/session").await.clean().must_be(200));
    for field in [
        "x-request-id",
        "user-agent",
        "host",
        "origin",
        "cookie",
        "authorization",
        "if-match",
        "accept-language",
        "x-forwarded-for",
        "x-forwarded-host",
        "content-type",
    ] {
        let with = |request: Request, value: String| match field {
            "host" => request.without("host").header("host", format!("localhost{value}")),
            _ => request.header(field, format!("aaaaaaaa{value}")),
        };
        for text in BREAKS {
            let request = with(browser.request("GET", "/api/v1/session"), text.to_owned());
            let reply = request.await;
            assert!(reply.status.as_u16() < 500, "{field}: {text:?}: {}", reply.describe());
            assert_nothing_injected(&reply, field);
            if reply.status == 200 {
                assert_eq!(names(&reply), honest, "{field}: {text:?}");
                let body = reply.text();
                assert!(!body.contains("X-Injected"), "{field}: {body}");
            }
        }
        // Folding (RFC 9112, section 5.2), and a CR, an LF or a NUL inside a value.
        for raw in ["\r\n X-Injected: 1", "\r\n\tX-Injected: 1", "\rX-Injected: 1", "\0"] {
            let mut request = with(browser.request("GET", "/api/v1/session"), "(raw)".to_owned());
            request = request.without("connection");
            let bytes = String::from_utf8(request.bytes()).unwrap().replace("(raw)", raw);
            let reply = server.client().raw(bytes).await;
            assert_eq!(reply.status, 400, "{field}: {raw:?}: {}", reply.describe());
            assert!(reply.headers.get("x-injected").is_none());
        }
    }
}

/// Attack 72: a request's own id is repeated only when it is plain letters and digits.
#[tokio::test]
async fn a_request_id_is_repeated_only_when_it_is_plain() {
    let server = Server::start().await;
    let ask = |id: &str| server.client().get("/api/v1/session").header("x-request-id", id);
    let repeated = ask("0af7651916cd43dd-8448eb211c80319c").await.clean();
    assert_eq!(repeated.header("x-request-id"), Some("0af7651916cd43dd-8448eb211c80319c"));
    for evil in [
        "short",
        "",
        "a b c d e f g h",
        "<script>alert(1)</script>",
        "aaaaaaaa%0d%0aX-Injected:1",
        "aaaaaaaa\"},{\"x\":\"",
        "aaaaaaaa\tbbbbbbbb",
        "ünïcödé-ünïcödé",
        &"a".repeat(65),
    ] {
        let reply = ask(evil).await.clean();
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert_ne!(id, evil);
        assert!(id.starts_with("req_"), "{id}");
        assert_eq!(reply.json()["request_id"], id);
    }
}

/// Attack 72, where it is kept: the name of a device is shown to its owner without line breaks.
#[tokio::test]
async fn a_user_agent_is_kept_without_control_characters() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    let agent = "Evil\tAgent<script>alert(1)</script>\u{85}";
    let request = server.client().post_json("/api/v1/login", &login).header("user-agent", agent);
    let kept = request.await.clean().must_be(200).json();
    let kept = kept["session"]["device"]["user_agent"].as_str().unwrap().to_owned();
    assert!(!kept.chars().any(char::is_control), "{kept:?}");
    let browser = server.sign_in(&alice).await;
    let page = browser.get("/account").await.clean().must_be(200);
    assert!(!page.text().contains("<script>alert"), "{}", page.text());
}
