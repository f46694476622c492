//! Other people's vectors, held against our reader. Each file here is one collection.
//!
//! The collections are not part of this repository. They are looked for in `shared/vectors` beside
//! it; a test whose collection is not there says so and passes.

mod cookbook;
mod cookies;
mod json_suite;
mod raw_signatures;
mod rfc_examples;
mod wycheproof;

use std::fs;
use std::path::PathBuf;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_wire::KeyId;
use doorward_wire::jose::{Algorithm, KeyRefused, SigningKey, VerifyingKey};
use serde_json::Value;

/// Where a collection is, if it is here.
fn collection(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    let found = root.join(path);
    if !found.exists() {
        say(&format!("skipped: the collection {path} is not beside this repository"));
        return None;
    }
    Some(found)
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so, and this is where they do")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn read_json(path: &str) -> Option<Value> {
    let bytes = fs::read(collection(path)?).expect("a file that exists can be read");
    Some(serde_json::from_slice(&bytes).expect("the collections are JSON"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn base64url(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).expect("the collections hold good base64url")
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("the collections hold hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

/// A shared secret, which by our rules never is a JWK: what a client would have been given.
fn shared_secret(secret: &[u8]) -> Result<VerifyingKey, KeyRefused> {
    SigningKey::from_material(KeyId(0), Algorithm::Hs256, secret).map(|key| key.verifying_key())
}
