//! Our tokens in other languages: the code of the documentation, run against a real server.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::harness::process::Data;
use crate::harness::wait::PATIENCE;
use crate::harness::{Browser, Folder, PASSWORD, Process, Reply, Server, within};

const NODE: &str = include_str!("../../docs/how-to/verify-in-node.md");
const PYTHON: &str = include_str!("../../docs/how-to/verify-in-python.md");

/// One library, and its code of the documentation.
struct Library {
    name: &'static str,
    code: String,
    program: Vec<String>,
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The `n`th piece of code in a language.
fn block(page: &str, language: &str, n: usize) -> String {
    let (_, rest) = page.split("\n```").enumerate().fold((0, None), |(count, found), (_, part)| {
        match part.strip_prefix(&format!("{language}\n")) {
            Some(code) if count == n => (count + 1, Some(code.to_owned())),
            Some(_) => (count + 1, found),
            None => (count, found),
        }
    });
    rest.unwrap()
}

fn libraries() -> [Library; 3] {
    let python = here("target/languages/python/bin/python").display().to_string();
    let python = |module: &str| {
        let script = here("tests/languages/verify.py").display().to_string();
        vec![python.clone(), script, module.to_owned()]
    };
    [
        Library {
            name: "jose",
            code: block(NODE, "js", 0),
            program: vec!["node".into(), "verify.mjs".into()],
        },
        Library { name: "PyJWT", code: block(PYTHON, "python", 0), program: python("pyjwt_code") },
        Library {
            name: "Authlib",
            code: block(PYTHON, "python", 1),
            program: python("authlib_code"),
        },
    ]
}

impl Library {
    /// What its code makes of these tokens, for one issuer, audience and algorithm.
    async fn says(
        &self,
        (issuer, audience, algorithm): (&str, &str, &str),
        tokens: &[String],
    ) -> Vec<Value> {
        let code = self
            .code
            .replace("https://id.example.com", issuer)
            .replace("https://api.example.com", audience)
            .replace("EdDSA", algorithm);
        let folder = Folder::fresh();
        let modules = here("target/languages/node_modules");
        assert!(modules.exists(), "the libraries are missing. Try: cargo xtask test");
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
        std::fs::copy(here("tests/languages/verify.mjs"), folder.join("verify.mjs")).unwrap();
        for name in ["documented.mjs", "pyjwt_code.py", "authlib_code.py"] {
            std::fs::write(folder.join(name), &code).unwrap();
        }
        let mut child = Command::new(&self.program[0])
            .args(&self.program[1..])
            .current_dir(folder.path())
            .env("PYTHONPATH", folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{}\n", tokens.join("\n")).as_bytes()).await.unwrap();
        drop(input);
        let output =
            within(3 * PATIENCE, "a program in another language", child.wait_with_output());
        let output = String::from_utf8(output.await.unwrap().stdout).unwrap();
        let said: Vec<Value> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(said.len(), tokens.len(), "{}: {output}", self.name);
        said
    }
}

const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

fn audience(algorithm: &str) -> String {
    format!("http://{}.localhost:9", algorithm.to_lowercase())
}

async fn start() -> Process {
    let data = Data::fresh();
    let config = data.beside("doorward.toml");
    let block = |algorithm| {
        let name = audience(algorithm);
        format!("[[audience]]\nname = \"{name}\"\nalgorithm = \"{algorithm}\"\nscopes = [\"read\"]")
    };
    let text = ALGORITHMS.map(block).join("\n");
    std::fs::write(&config, text).unwrap();
    data.start(&["--config", config.to_str().unwrap()]).await
}

async fn browser(process: &Process) -> Browser {
    let browser = process.browser();
    let account = json!({ "username": "ada", "password": PASSWORD });
    browser.post_json("/api/v1/accounts", &account).await.must_be(201);
    let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    browser.post_json("/api/v1/login", &login).await.must_be(200);
    browser
}

async fn token(process: &Process, audience: &str) -> String {
    let login = json!({
        "username": "ada", "password": PASSWORD, "carrier": "token", "audience": audience, "scope": "read",
    });
    let reply = process.client().post_json("/api/v1/login", &login).await.must_be(200);
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// The token with another header, and a signature of nobody's.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let mut parts = token.split('.');
    let header = Base64UrlUnpadded::decode_vec(parts.next().unwrap()).unwrap();
    let mut header: Value = serde_json::from_slice(&header).unwrap();
    change(&mut header);
    let header = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
    format!("{header}.{}.{}", parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test]
async fn other_languages_accept_our_tokens_and_nothing_else() {
    let process = start().await;
    let browser = browser(&process).await;
    // A server whose clock stands in the past: all that it signs is over.
    let past = Server::start().await;
    let ada = past.member("ada").await;
    for algorithm in ALGORITHMS {
        let audience = audience(algorithm);
        let good = token(&process, &audience).await;
        let (head, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let other_payload = Base64UrlUnpadded::decode_vec(payload).unwrap();
        let other_payload =
            String::from_utf8(other_payload).unwrap().replace("\"read\"", "\"root\"");
        let other_payload = Base64UrlUnpadded::encode_string(other_payload.as_bytes());
        let host = audience.strip_prefix("http://").unwrap();
        let asked =
            browser.request("GET", "/api/authz/forward-auth").header("x-forwarded-host", host);
        let asked = asked.header("x-forwarded-method", "GET").header("x-forwarded-uri", "/");
        let reply: Reply = asked.header("x-forwarded-proto", "http").await.must_be(200);
        let assertion = reply.header("doorward-assertion").unwrap().to_owned();
        let tokens = vec![
            good.clone(),
            token(&process, "").await,
            token(&process, &self::audience(if algorithm == "EdDSA" { "ES256" } else { "EdDSA" }))
                .await,
            format!("{head}.{other_payload}.{signature}"),
            format!("{head}.{payload}."),
            with_header(&good, |header| header["alg"] = "none".into()),
            with_header(&good, |header| header["alg"] = "HS256".into()),
            with_header(&good, |header| header["kid"] = "another".into()),
            assertion,
            "x.y.z".to_owned(),
        ];
        let sub = browser.get("/api/v1/account").await.must_be(200).json()["id"].clone();
        for library in libraries() {
            let said = library.says((&process.url, &audience, algorithm), &tokens).await;
            assert_eq!(said[0], json!({ "sub": sub }), "{} {algorithm}", library.name);
            for (n, said) in said.iter().enumerate().skip(1) {
                assert!(said["refused"].is_string(), "{} {algorithm}: {n} {said}", library.name);
            }
            // The same keys, another name: the issuer is asked for.
            let elsewhere = process.url.replace("localhost", "127.0.0.1");
            let said = library.says((&elsewhere, &audience, algorithm), &tokens[..1]).await;
            assert!(said[0]["refused"].is_string(), "{}: another issuer", library.name);
        }
    }
    let over = past.tokens(&ada).await.access;
    for library in libraries() {
        let said =
            library.says((&past.origin, &past.origin, "EdDSA"), std::slice::from_ref(&over)).await;
        let refused = said[0]["refused"].as_str().unwrap().to_lowercase();
        assert!(refused.contains("expired"), "{}: {refused}", library.name);
    }
}

#[tokio::test]
async fn a_client_that_knows_oauth_and_nothing_of_us_does_all_of_it() {
    let process = start().await;
    let browser = browser(&process).await;
    let words = [
        "app",
        "--json",
        "--scope",
        "doorward.revocations",
        "--serves",
        &process.url,
        "--redirect",
        "http://127.0.0.1:9/callback",
    ];
    let made = process.data().run("client add", &words).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let folder = Folder::fresh();
    std::os::unix::fs::symlink(here("target/languages/node_modules"), folder.join("node_modules"))
        .unwrap();
    std::fs::copy(here("tests/languages/client.mjs"), folder.join("client.mjs")).unwrap();
    let mut child = Command::new("node")
        .arg("client.mjs")
        .args([&*process.url, made["id"].as_str().unwrap(), made["secret"].as_str().unwrap()])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = async || -> Value {
        let line = within(PATIENCE, "a line of the client", lines.next_line()).await.unwrap();
        serde_json::from_str(&line.unwrap_or_else(|| panic!("the client has ended"))).unwrap()
    };
    assert_eq!(said().await, json!({ "own": "bearer" }));
    assert_eq!(said().await, json!({ "active": true }));
    assert_eq!(said().await, json!({ "revoked": false }));
    assert_eq!(said().await, json!({ "bound": ["dpop", true] }));
    assert_eq!(said().await, json!({ "feed": 200 }));
    let way = said().await["way"].as_str().unwrap().to_owned();
    let back = browser.get(&way).await.must_be(303);
    let back = format!("{}\n", back.header("location").unwrap());
    child.stdin.as_mut().unwrap().write_all(back.as_bytes()).await.unwrap();
    assert_eq!(said().await, json!({ "code": ["bearer", "profile", "string"] }));
    assert_eq!(said().await, json!({ "renewed": "bearer" }));
    assert!(child.wait().await.unwrap().success());
}
