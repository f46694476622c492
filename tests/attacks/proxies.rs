//! Proxies: header fields that only a proxy may send, sent by somebody outside.

use serde_json::json;

use super::Clean;
use crate::harness::client::Request;
use crate::harness::nginx::Plan;
use crate::harness::server::{PRODUCTION, login_body};
use crate::harness::{Member, Server};

/// Where other servers take a client's address from.
const ADDRESSES: [(&str, &str); 9] = [
    ("x-forwarded-for", "192.0.2.66"),
    ("x-forwarded-for", "192.0.2.66, 127.0.0.1"),
    ("forwarded", "for=192.0.2.66;proto=https"),
    ("x-real-ip", "192.0.2.66"),
    ("x-client-ip", "192.0.2.66"),
    ("true-client-ip", "192.0.2.66"),
    ("cf-connecting-ip", "192.0.2.66"),
    ("x-cluster-client-ip", "192.0.2.66"),
    ("x-originating-ip", "192.0.2.66"),
];

/// Where other servers take a signed-in person from.
const PERSONS: [(&str, &str); 12] = [
    ("remote-user", "alice"),
    ("x-remote-user", "alice"),
    ("x-forwarded-user", "alice"),
    ("x-auth-request-user", "alice"),
    ("x-webauth-user", "alice"),
    ("remote-groups", "administrators"),
    ("x-ssl-client-cert", "-----BEGIN CERTIFICATE-----"),
    ("x-ssl-client-s-dn", "CN=alice"),
    ("x-ssl-client-verify", "SUCCESS"),
    ("ssl-client-cert", "CN=alice"),
    ("x-client-cert", "CN=alice"),
    ("doorward-assertion", "alice"),
];

fn login(member: &Member) -> serde_json::Value {
    login_body(member, "cookie", json!({}))
}

/// The address that a login with this request is written down with.
async fn written_address(request: Request) -> String {
    let reply = request.await.clean().must_be(200).json();
    reply["session"]["device"]["ip"].as_str().unwrap().to_owned()
}

/// Attack 26 (RFC 9700, section 4.13; ASVS 5.0, 4.1.3): in development there is no proxy, and
/// nobody is believed.
#[tokio::test]
async fn without_a_proxy_no_header_changes_where_a_request_comes_from() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    for (name, value) in ADDRESSES {
        let request = server.browser().request("POST", "/api/v1/login").json(&login(&alice));
        assert_eq!(written_address(request.header(name, value)).await, "127.0.0.1", "{name}");
    }
}

/// Attack 26: from the right, the first address that is not a trusted proxy's, and no further.
#[tokio::test]
async fn of_a_chain_of_addresses_only_what_our_own_proxies_said_counts() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let chain = |fields: &[&str]| {
        let request = server.browser().request("POST", "/api/v1/login").json(&login(&alice));
        let request = request.without("x-forwarded-for");
        fields.iter().fold(request, |request, field| request.header("x-forwarded-for", field))
    };
    for (fields, expected) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["192.0.2.66, 203.0.113.9"], "203.0.113.9"),
        (&["192.0.2.66", "203.0.113.9"], "203.0.113.9"),
        (&["192.0.2.66, 203.0.113.9, 127.0.0.1"], "203.0.113.9"),
        (&["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (&["2001:db8::9"], "2001:db8::9"),
        (&["192.0.2.66, ::ffff:203.0.113.9"], "203.0.113.9"),
        // What cannot be read ends the reading: nothing to its left is believed.
        (&["192.0.2.66, evil"], "127.0.0.1"),
        (&["192.0.2.66, 203.0.113.9:1234"], "127.0.0.1"),
        (&["192.0.2.66, "], "127.0.0.1"),
        (&["192.0.2.66, evil, 127.0.0.1"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(written_address(chain(fields)).await, expected, "{fields:?}");
    }
    for (name, value) in ADDRESSES.into_iter().filter(|(name, _)| *name != "x-forwarded-for") {
        let request = chain(&["203.0.113.9"]).header(name, value);
        assert_eq!(written_address(request).await, "203.0.113.9", "{name}");
    }
}

/// Attack 26: bytes that are no text, before what our proxy has added, hide nothing of it.
#[tokio::test]
async fn what_is_no_text_hides_nothing_that_our_own_proxy_said() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    for (fields, expected) in [
        (&[&b"\xFF, 203.0.113.9"[..]][..], "203.0.113.9"),
        (&[b"192.0.2.66", b"\xFF, 203.0.113.9"], "203.0.113.9"),
        (&[b"\xE9", b"203.0.113.9"], "203.0.113.9"),
        (&[b"192.0.2.66, \xFF"], "127.0.0.1"),
        (&[b"192.0.2.66", b"\xFF"], "127.0.0.1"),
    ] {
        let request = server.browser().request("POST", "/api/v1/login").json(&login(&alice));
        let request = request.without("x-forwarded-for");
        let request =
            fields.iter().fold(request, |request, field| request.header("x-forwarded-for", field));
        assert_eq!(written_address(request).await, expected, "{fields:?}");
    }
}

/// Attack 26, with a real proxy that adds to what the client sent instead of replacing it.
#[tokio::test]
async fn behind_a_proxy_that_appends_what_the_client_wrote_is_not_believed() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let location = "location / {
        proxy_pass http://doorward;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto https;
    }";
    let nginx = Plan::plain().start(server.address, location).await;
    let log_in = || {
        let browser = nginx.browser(PRODUCTION);
        browser.request("POST", "/api/v1/login").json(&login(&alice))
    };
    // nginx is asked from this machine, whose address is a trusted proxy's too: nothing is left.
    assert_eq!(written_address(log_in()).await, "127.0.0.1");
    let forged = log_in().header("x-forwarded-for", "192.0.2.66, evil");
    assert_eq!(written_address(forged).await, "127.0.0.1");
}

/// Attack 26: a peer that is no proxy of ours is answered nothing, whatever it says.
#[tokio::test]
async fn a_peer_that_is_no_trusted_proxy_gets_nothing() {
    let server = Server::production(|settings| {
        settings.site = doorward_server::settings::Site::Production {
            origin: PRODUCTION.to_owned(),
            trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
        };
    })
    .await;
    let alice = server.member("alice").await;
    let rows = server.rows();
    for (name, value) in ADDRESSES.into_iter().chain([("x-forwarded-proto", "https")]) {
        let request = server.browser().request("POST", "/api/v1/login").json(&login(&alice));
        let reply = request.header(name, value).await.clean();
        assert!(reply.set_cookie().is_none(), "{name}");
        reply.must_be_problem(403, "https-required");
    }
    assert_eq!(server.rows(), rows);
    server.client().get("/readyz").await.must_be(200);
    // The control: a server that trusts this peer lets the same login in.
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    server.sign_in(&alice).await;
}

/// Attack 26: nobody is signed in because a header field says so, through a trusted proxy neither.
#[tokio::test]
async fn no_header_names_a_person() {
    for server in [Server::start().await, Server::production(|_| {}).await] {
        let alice = server.administrator("alice").await;
        server.sign_in(&alice).await;
        for path in ["/api/v1/session", "/api/v1/account", "/api/v1/sessions"] {
            for (name, value) in PERSONS {
                let request = server.client().get(path).header(name, value);
                request.await.clean().must_be_problem(401, "unauthenticated");
            }
            let mut all = server.client().get(path);
            for (name, value) in PERSONS {
                all = all.header(name, value);
            }
            all.await.clean().must_be_problem(401, "unauthenticated");
        }
        // Nor does one take the place of who really is.
        let bob = server.sign_in(&server.member("bob").await).await;
        for (name, value) in PERSONS {
            let request = bob.request("GET", "/api/v1/account").header(name, value);
            assert_eq!(request.await.clean().must_be(200).json()["username"], "bob", "{name}");
        }
    }
}
