//! Every dependency has its reason, in a comment on the line above it in the root `Cargo.toml`.

use std::fs;

use crate::step::{self, Failure, Outcome};

/// The dependencies without a reason.
pub(crate) fn wrong() -> Outcome<Vec<String>> {
    let manifest = fs::read_to_string(step::root().join("Cargo.toml"))
        .map_err(Failure::while_doing("Cargo.toml"))?;
    let told = |name| format!("Cargo.toml: {name} has no reason on the line above it");
    Ok(without_reason(&manifest).into_iter().map(told).collect())
}

/// The names under `[workspace.dependencies]`, ours excepted, that no comment stands above.
fn without_reason(manifest: &str) -> Vec<&str> {
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let mut bare = Vec::new();
    let mut above = "";
    for line in section {
        // A line that begins with anything else belongs to the dependency above it.
        let is_dependency = line.starts_with(|first: char| first.is_ascii_alphabetic());
        if let Some((name, _)) = line.split_once('=').filter(|_| is_dependency)
            && !above.starts_with('#')
            && !name.starts_with("doorward")
        {
            bare.push(name.trim());
        }
        above = line;
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_comment_right_above_it_is_found() {
        let manifest = "\
[package]
name = \"x\"
[workspace.dependencies]
doorward-wire = { path = \"x\" }

# Reads bytes.
bytes = \"1\"
http = \"1\"
# Too far away.

serde = { version = \"1\", features = [
  \"derive\",
] }
[profile.dev]
debug = 1
";
        assert_eq!(without_reason(manifest), ["http", "serde"]);
    }
}
