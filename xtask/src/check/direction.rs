//! The house has one direction: which room may lean on what (ARCHITECTURE.md).

use crate::step::{self, Outcome};

/// A room, and what it must not reach, not even through something else.
const NEVER: [(&str, &[&str]); 6] = [
    (
        "doorward-wire",
        &[
            "tokio",
            "http",
            "hyper",
            "tower",
            "axum",
            "rusqlite",
            "tokio-postgres",
            "argon2-rust",
            "doorward-core",
        ],
    ),
    (
        "doorward-core",
        &[
            "tokio",
            "async-trait",
            "http",
            "hyper",
            "tower",
            "axum",
            "rusqlite",
            "tokio-postgres",
            "doorward-store",
        ],
    ),
    ("doorward-store", &["hyper", "tower", "axum", "askama", "doorward-server"]),
    ("doorward-server", &["doorward", "clap", "toml"]),
    (
        "doorward-guard",
        &["doorward-core", "doorward-store", "doorward-server", "rusqlite", "tokio-postgres"],
    ),
    // One library for cryptography; the oracles stay in the tests.
    ("doorward", &["openssl", "openssl-sys", "native-tls", "ring", "argon2", "jsonwebtoken"]),
];

/// A library, and the only ones of ours that may name it, their tests and the examples excepted.
const ONLY: [(&str, &[&str]); 7] = [
    ("argon2-rust", &["doorward-core"]),
    ("askama", &["doorward-server"]),
    ("axum", &["doorward-server", "bench"]),
    ("maxminddb", &["doorward"]),
    // In tests only.
    ("postgres-server", &[]),
    ("rusqlite", &["doorward-store", "bench"]),
    ("tokio-postgres", &["doorward-store"]),
];

/// What leans the wrong way.
pub(crate) fn wrong() -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    for (room, never) in NEVER {
        let reached = crates(&["-p", room, "-e", "normal,build"])?;
        for name in never.iter().filter(|name| reached.iter().any(|found| found == *name)) {
            wrong.push(format!(
                "{room} must not reach {name}: `cargo tree -p {room} -i {name} -e normal,build` \
                 tells how it does"
            ));
        }
    }
    for room in crates(&["--workspace", "--depth", "0"])? {
        let named = crates(&["-p", &room, "-e", "normal,build", "--depth", "1"])?;
        for (name, only) in ONLY {
            let is_free = only.contains(&room.as_str()) || room.starts_with("example-");
            if named[1..].iter().any(|found| found == name) && !is_free {
                let only = only.join(" or ");
                wrong.push(format!("{room} names {name}, which only {only} may"));
            }
        }
    }
    Ok(wrong)
}

/// The names that `cargo tree` prints. The one that was asked for comes first.
fn crates(arguments: &[&str]) -> Outcome<Vec<String>> {
    let words = [&["cargo", "tree", "--prefix", "none", "--format", "{p}"], arguments].concat();
    let tree = step::read(&mut step::command(&words))?;
    let names = tree.lines().filter_map(|line| line.split_ascii_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}
