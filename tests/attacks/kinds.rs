//! Every kind of secret and token, shown in the place of every other (attack 44).
//!
//! A new kind is one line in [`kinds`], and a new place one in [`places`].

use std::fmt::Write as _;

use doorward_server::flow::setup;
use serde_json::json;

use crate::harness::dpop::{Holder, shown};
use crate::harness::oauth::Known;
use crate::harness::server::login_body;
use crate::harness::{Device, Member, PASSWORD, Reply, Server, report};
use crate::journeys::forward_auth::{FORWARD, WIKI, pass, with_wiki};

/// A kind of secret or token, and one that is good.
struct Kind {
    name: &'static str,
    text: String,
}

/// A place where one is shown, and which kinds it takes.
struct Place {
    name: &'static str,
    takes: &'static [&'static str],
}

/// What the test stands on.
struct Street {
    server: Server,
    ada: Member,
    holder: Holder,
    client: (String, String),
    orders: (String, String),
}

const PLACES: [Place; 12] = [
    Place { name: "session cookie", takes: &["session secret"] },
    Place { name: "pass of a site", takes: &["pass"] },
    Place { name: "bearer", takes: &["access token"] },
    Place { name: "bearer, reading an account", takes: &["access token", "personal token"] },
    Place { name: "bearer, following revocations", takes: &["client's token"] },
    Place { name: "bearer at a site", takes: &["token for a site", "personal token for a site"] },
    Place { name: "DPoP", takes: &["bound token"] },
    Place { name: "refresh token", takes: &["refresh token"] },
    Place { name: "client's secret", takes: &["client's secret"] },
    Place { name: "setup link", takes: &["setup secret"] },
    Place { name: "proof of a key", takes: &["proof of a key"] },
    Place {
        name: "introspection for a site",
        takes: &["token for a site", "personal token for a site"],
    },
];

async fn street() -> Street {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (client, orders) = {
        let follower = Known::follower(&server).await;
        let serving = Known::serving(&server, &[WIKI]).await;
        ((follower.id, follower.secret), (serving.id, serving.secret))
    };
    Street { server, ada, holder: Holder::new(), client, orders }
}

/// One good one of each kind, made anew: some are spent when they are shown.
async fn kinds(street: &Street) -> Vec<Kind> {
    let Street { server, ada, holder, client, .. } = street;
    let browser = server.sign_in(ada).await;
    let (_, site_pass) = pass(server, ada, "/").await;
    let tokens = server.tokens(ada).await;
    let for_site = server.tokens_with(ada, json!({ "audience": WIKI })).await;
    let bound = holder.tokens(server, ada, json!({})).await;
    let personal = async |more: serde_json::Value| {
        let mut body = json!({ "name": "x", "scope": "profile" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = browser.post_json("/api/v1/account/tokens", &body).await.must_be(201).json();
        made["token"].as_str().unwrap().to_owned()
    };
    let basic = ("authorization", basic(&client.0, &client.1));
    let grant = [("grant_type", "client_credentials")];
    let own = server.client().post_form("/oauth/token", &grant).header(basic.0, basic.1);
    let own = own.await.must_be(200).json()["access_token"].as_str().unwrap().to_owned();
    let feed = server.client().get("/api/v1/revocations").bearer(&own).await.must_be(200).json();
    let asked = server.client().get(FORWARD).header("x-forwarded-host", "wiki.example.com");
    let asked = asked.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET");
    let let_in = asked.cookie(&site_pass).await.must_be(200);
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let dbsc = Device::new();
    let kind = |name, text: &str| Kind { name, text: text.to_owned() };
    vec![
        kind("session secret", &browser.secret()),
        kind("pass", site_pass.split_once('=').unwrap().1),
        kind("access token", &tokens.access),
        kind("token for a site", &for_site.access),
        kind("bound token", &bound.access),
        kind("client's token", &own),
        kind("refresh token", &tokens.refresh),
        kind("client's secret", &client.1),
        kind("personal token", &personal(json!({})).await),
        kind(
            "personal token for a site",
            &personal(json!({ "scope": "", "audience": WIKI })).await,
        ),
        kind("assertion", let_in.header("doorward-assertion").unwrap()),
        kind("bulletin", feed["bulletins"][0].as_str().unwrap()),
        kind("proof of a key", &holder.proof(server, ("POST", "/api/v1/login"), None)),
        kind("proof of a device", &dbsc.first("a challenge")),
        kind("nonce", &server.app.keys.nonces().nonce(server.clock.time())),
        kind("setup secret", &format!("{}{}", setup::PREFIX, link.expose().as_str())),
    ]
}

fn basic(id: &str, secret: &str) -> String {
    use base64ct::Encoding;
    format!("Basic {}", base64ct::Base64::encode_string(format!("{id}:{secret}").as_bytes()))
}

/// Shows a text in a place, and says whether it was taken.
async fn takes(street: &Street, place: &str, text: &str) -> bool {
    let Street { server, ada, holder, client, orders } = street;
    let ask = server.client();
    let site = || {
        let asked = ask.get(FORWARD).header("x-forwarded-host", "wiki.example.com");
        asked.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET")
    };
    let reply: Reply = match place {
        "session cookie" => {
            let cookie = format!("{}={text}", server.cookie_name());
            ask.get("/api/v1/session").cookie(cookie).await
        }
        "pass of a site" => site().cookie(format!("__Http-doorward-site={text}")).await,
        "bearer" => ask.get("/api/v1/session").bearer(text).await,
        "bearer, reading an account" => ask.get("/api/v1/account").bearer(text).await,
        "bearer, following revocations" => ask.get("/api/v1/revocations").bearer(text).await,
        "bearer at a site" => site().bearer(text).await,
        "DPoP" => {
            let proof = holder.proof(server, ("GET", "/api/v1/session"), Some(text));
            shown(ask.get("/api/v1/session"), text, &proof).await
        }
        "refresh token" => server.refresh(text).await,
        "client's secret" => {
            let form = [("grant_type", "client_credentials")];
            let request = ask.post_form("/oauth/token", &form);
            request.header("authorization", basic(&client.0, text)).await
        }
        "setup link" => {
            let form = [("code", text), ("username", "root"), ("password", PASSWORD)];
            let reply = server.browser().post_form("/setup", &form).await;
            return reply.status == 303 && reply.set_cookie().is_some();
        }
        "proof of a key" => {
            let body = login_body(ada, "token", json!({}));
            ask.post_json("/api/v1/login", &body).header("dpop", text).await
        }
        "introspection for a site" => {
            let request = ask.post_form("/oauth/introspect", &[("token", text)]);
            let request = request.header("authorization", basic(&orders.0, &orders.1));
            return request.await.must_be(200).json()["active"] == true;
        }
        other => panic!("{other}"),
    };
    assert!(reply.status.as_u16() < 500, "{place}: {}", reply.describe());
    reply.status.is_success()
}

#[tokio::test]
async fn each_kind_counts_in_its_own_place_and_in_no_other() {
    let street = street().await;
    let mut table = String::new();
    let mut wrong = Vec::new();
    for place in PLACES {
        write!(table, "{:<32}", place.name).unwrap();
        for kind in kinds(&street).await {
            let taken = takes(&street, place.name, &kind.text).await;
            table.push_str(if taken { " +" } else { " ." });
            if taken != place.takes.contains(&kind.name) {
                wrong.push(format!("{} as {}: {taken}", kind.name, place.name));
            }
        }
        table.push('\n');
    }
    report(&table);
    assert!(wrong.is_empty(), "{wrong:#?}\n{table}");
}
