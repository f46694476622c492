//! The authorization code flow, as a client of RFC 6749 goes through it.

use doorward_wire::pkce::Challenge;
use serde_json::Value;

use super::client::percent;
use super::oauth::Known;
use super::{Browser, Reply};

/// A verifier.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where the client under test wants people back.
pub(crate) const CALLBACK: &str = "https://shop.example/callback";

/// What a client asks for, with these in place of what it usually sends; an empty value leaves one out.
pub(crate) fn authorize(client: &Known<'_>, changed: &[(&str, &str)]) -> String {
    let challenge = Challenge::of(VERIFIER).unwrap().to_string();
    let usual = [
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", CALLBACK),
        ("state", "xyz&1"),
        ("scope", "profile"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let pick = |name: &str| changed.iter().find(|(changed, _)| *changed == name);
    let usual = usual.iter().map(|(name, value)| pick(name).copied().unwrap_or((name, value)));
    let known = |name: &str| {
        ["response_type", "client_id", "redirect_uri", "state", "scope"].contains(&name)
            || name.starts_with("code_challenge")
    };
    let more = changed.iter().copied().filter(|(name, _)| !known(name));
    let pairs = usual.chain(more).filter(|(_, value)| !value.is_empty());
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", percent(value))).collect();
    format!("/oauth/authorize?{}", pairs.join("&"))
}

/// What came back to the client.
pub(crate) fn returned(reply: &Reply) -> Vec<(String, String)> {
    let location = reply.header("location").unwrap();
    let (address, query) = location.split_once('?').unwrap();
    assert_eq!(address, CALLBACK, "{location}");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// One thing that came back.
pub(crate) fn returned_one(reply: &Reply, name: &str) -> String {
    let all = returned(reply);
    let found = all.iter().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("no {name} in {all:?}")).1.clone()
}

/// Asks for a code in a browser that is signed in.
pub(crate) async fn code(
    client: &Known<'_>,
    browser: &Browser,
    changed: &[(&str, &str)],
) -> String {
    let reply = browser.get(&authorize(client, changed)).await.must_be(303);
    assert_eq!(returned_one(&reply, "state"), "xyz&1");
    returned_one(&reply, "code")
}

/// Takes a code home.
pub(crate) async fn redeem(client: &Known<'_>, code: &str, changed: &[(&str, &str)]) -> Reply {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let pick = |name: &str| changed.iter().find(|(changed, _)| *changed == name);
    let pairs = usual.iter().map(|(name, value)| pick(name).copied().unwrap_or((name, value)));
    let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
    client.ask("/oauth/token", &pairs).await
}

/// The tokens of a session.
pub(crate) async fn tokens(
    client: &Known<'_>,
    browser: &Browser,
    changed: &[(&str, &str)],
) -> Value {
    let code = code(client, browser, changed).await;
    redeem(client, &code, &[]).await.must_be(200).json()
}
