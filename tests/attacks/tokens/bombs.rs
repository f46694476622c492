//! Tokens made to hurt whoever reads them (attack 48), and the vectors of others, over HTTP (attack 49).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::{Forge, encode};
use crate::attacks::Clean;
use crate::harness::oauth::Known;
use crate::harness::{Process, report};

/// Texts that are too large, too deep or too costly, in the place of a token.
fn bombs(header: &Value) -> Vec<(&'static str, String)> {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let part = |text: &str| encode(text);
    let scopes = "a ".repeat(1_000_000);
    let head = |value: &Value| part(&value.to_string());
    let costly = json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "p2c": 2_147_483_647, "p2s": "AAAA" });
    vec![
        ("a mebibyte of letters", "a".repeat(1 << 20)),
        ("a mebibyte of dots", ".".repeat(1 << 20)),
        ("a header 100 000 deep", format!("{}.e30.AAAA", part(&nested))),
        ("claims 100 000 deep", format!("{}.{}.AAAA", head(header), part(&nested))),
        (
            "a million scopes",
            format!("{}.{}.AAAA", head(header), part(&format!("{{\"scope\":\"{scopes}\"}}"))),
        ),
        (
            "an encrypted token with two thousand million rounds",
            format!("{}.a.b.c.d", head(&costly)),
        ),
        ("a token that is packed", {
            let mut packed = header.clone();
            packed["zip"] = "DEF".into();
            format!("{}.{}.AAAA", head(&packed), part("a bomb"))
        }),
        ("20 KB", format!("{}.{}.AAAA", head(header), "A".repeat(20_000))),
    ]
}

/// Attack 48: in the header field, and where a body may carry a token.
#[tokio::test]
async fn what_is_made_to_hurt_is_refused_unread() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let server = &forge.server;
    let client = Known::serving(server, &[super::SHOP]).await;
    let mut longest = Duration::ZERO;
    for (what, bomb) in bombs(&forge.header) {
        let began = Instant::now();
        // Who sends more than any request has is cut off, or told.
        let reply = server.client().get("/api/v1/session").bearer(&bomb).attempt().await;
        if let Some(reply) = reply {
            let status = reply.status.as_u16();
            assert!((400..500).contains(&status), "{what}: {}", reply.describe());
        }
        let form = [("token", &*bomb)];
        let asked = server.client().post_form("/oauth/introspect", &form);
        if let Some(reply) = asked.header("authorization", client.basic()).attempt().await {
            let is_told = (400..500).contains(&reply.status.as_u16());
            assert!(is_told || reply.json() == json!({ "active": false }), "{what}");
        }
        longest = longest.max(began.elapsed());
        forge.passes(&forge.tokens.access, "the control").await;
    }
    report(&format!("the longest of two such requests took {longest:?}"));
    // As deep and as wide as a token can be, and signed by our own key.
    for (what, claims) in [
        ("deep", format!("{}{}", "[".repeat(2900), "]".repeat(2900))),
        ("deep objects", format!("{}1{}", "{\"a\":".repeat(900), "}".repeat(900))),
        (
            "wide",
            format!("{{{}}}", (0..800).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(",")),
        ),
    ] {
        forge.refuses(&forge.signed(&forge.header.to_string(), &claims), what).await;
    }
}

/// The same against the program itself: its memory stays what it was.
#[tokio::test]
async fn the_memory_of_the_server_stays_flat() {
    let process = Process::start(&[]).await;
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "key_x" });
    let throw = async |rounds: usize| {
        for _ in 0..rounds {
            for (_, bomb) in bombs(&header) {
                process.client().get("/api/v1/session").bearer(&bomb).attempt().await;
            }
        }
        process.resident_kib()
    };
    let before = throw(3).await;
    let after = throw(30).await;
    report(&format!("resident memory after 3 rounds {before} KiB, after 33 rounds {after} KiB"));
    assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");
    process.client().get("/readyz").await.must_be(200);
}

/// A collection of somebody's vectors, if it is beside this repository.
fn collection(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    report(&format!("skipped: the collection {path} is not beside this repository"));
    None
}

/// Every text in a document that can be in the place of a token.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('.') && text.len() > 20 && text.is_ascii() => {
            found.push(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
        Value::Object(all) => all.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

/// Attack 49: none of them is ours, so none passes, and none does harm.
#[tokio::test]
async fn no_token_of_anybodys_collection_passes() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let mut shown = 0;
    for name in [
        "json_web_signature_test.json",
        "json_web_crypto_test.json",
        "json_web_encryption_test.json",
    ] {
        let Some(path) = collection(&format!("wycheproof/{name}")) else { return };
        let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut found = Vec::new();
        texts(&document["testGroups"], &mut found);
        for text in found {
            let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_sendable || text.len() > 12_000 {
                continue;
            }
            let reply = forge.server.whoami(&text).await.clean();
            assert_eq!(reply.status, 401, "{name}: {text}: {}", reply.describe());
            shown += 1;
        }
    }
    forge.passes(&forge.tokens.access, "the control").await;
    report(&format!("{shown} tokens of Wycheproof were refused over HTTP"));
    assert!(shown > 300, "{shown}");
}

/// `JSONTestSuite` as claims, signed by our own key: what is no JSON, and what is JSON of another shape.
#[tokio::test]
async fn no_json_of_anybodys_collection_is_a_token() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let Some(folder) = collection("json-test-suite") else { return };
    let mut shown = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let claims = std::fs::read(&path).unwrap();
            if claims.len() > 5000 || path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let what = path.display().to_string();
            let header = forge.header.to_string();
            forge.refuses(&forge.signed_bytes(header.as_bytes(), &claims), &what).await;
            shown += 1;
        }
    }
    report(&format!("{shown} documents of JSONTestSuite were refused as claims"));
    assert!(shown > 100, "{shown}");
}
