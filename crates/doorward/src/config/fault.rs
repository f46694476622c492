//! Faults in the configuration: where they are, and what was probably meant.

use std::path::Path;

/// Says what is wrong in a file, with its line and the nearest known key.
pub(super) fn in_file(error: &toml::de::Error, path: &Path, text: &str) -> anyhow::Error {
    let line = error.span().map_or(1, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    });
    let cause = first_line(error.message());
    anyhow::anyhow!("{}:{line}: {cause}{}", path.display(), advice(error.message()))
}

/// Says what is wrong in the environment, with the variable's name.
pub(super) fn in_environment(error: &toml::de::Error, name: &str) -> anyhow::Error {
    let cause = first_line(error.message());
    anyhow::anyhow!("{name}: {cause}{}", advice(error.message()))
}

/// The cause without the list of everything that would have been right.
fn first_line(message: &str) -> &str {
    message.split(", expected ").next().unwrap_or(message)
}

/// The nearest known key, as a line of advice, when the fault is an unknown one.
fn advice(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown field"));
    let nearest = unknown.and_then(|unknown| names.min_by_key(|known| distance(unknown, known)));
    nearest.map_or_else(String::new, |known| format!("\nTry: {known}"))
}

/// How many letters must be added, removed or changed to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
