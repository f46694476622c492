//! The rules for every file: how it opens, how long it is, and what it must not tell.

use std::fs;
use std::path::Path;

use crate::step::{self, Failure, Outcome};

/// The most lines of a file, tests not counted. A longer one is told, and goes through.
const LINE_COUNT_MAX: usize = 400;

/// Where a path on the machine of whoever wrote a file begins. In two parts, so that they are not
/// found here.
const PRIVATE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "bash_")];

/// A file of the project.
pub(crate) struct Source {
    path: String,
    text: String,
}

/// Reads every file that is, or may be, committed, and is text.
pub(crate) fn read() -> Outcome<Vec<Source>> {
    let listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let paths = step::read(&mut step::command(&listing))?;
    let mut sources = Vec::new();
    for path in paths.split_terminator('\0') {
        let bytes = match fs::read(step::root().join(path)) {
            Ok(bytes) => bytes,
            // Deleted, and not yet committed so; or a link to nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::new(format!("{path}: {error}"))),
        };
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// What is wrong in these files.
pub(crate) fn wrong(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Source { path, text } in sources {
        if path.ends_with("/mod.rs") {
            wrong.push(format!("{path}: a module is `noun.rs` beside `noun/`, never `mod.rs`"));
        }
        if is_rust(path) && !is_beside_code(path) && !text.starts_with("//!") {
            wrong.push(format!("{path}: it does not open with `//!` and what it is"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            if names_private_path(line) {
                wrong.push(format!("{path}:{number}: a path of somebody's own machine"));
            }
        }
    }
    wrong
}

/// The files that have grown too long.
pub(crate) fn long(sources: &[Source]) -> Vec<String> {
    let is_code = |source: &&Source| {
        let path = &source.path;
        is_rust(path) && !is_beside_code(path) && !path.starts_with("tests/")
    };
    let told = |source: &Source| {
        let count = line_count(&source.text);
        let path = &source.path;
        (count > LINE_COUNT_MAX)
            .then(|| format!("{path} has {count} lines without tests; {LINE_COUNT_MAX} will do"))
    };
    sources.iter().filter(is_code).filter_map(told).collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Tests in files of their own, whose parent tells what they are about.
fn is_beside_code(path: &str) -> bool {
    path.contains("src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

/// Lines before the tests, which come last.
fn line_count(text: &str) -> usize {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().count()
}

/// A longer path that merely ends like one of them is no such path.
fn names_private_path(line: &str) -> bool {
    PRIVATE_PATHS.iter().any(|private| {
        line.match_indices(private).any(|(at, _)| {
            !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-".contains(before))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, count: usize) {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(wrong(&[source]).len(), count);
    }

    #[test]
    fn a_path_of_somebodys_own_machine_is_found_and_one_like_it_is_not() {
        for private in PRIVATE_PATHS {
            check("a.md", &format!("see {private}main"), 1);
            check("a.md", &format!("see https://example.com{private}main"), 0);
        }
    }

    #[test]
    fn a_file_of_rust_opens_with_what_it_is() {
        check("src/a.rs", "//! A thing.\n", 0);
        check("src/a.rs", "fn a() {}\n", 1);
        check("src/a/tests.rs", "use super::*;\n", 0);
        check("src/a/mod.rs", "//! A thing.\n", 1);
    }

    #[test]
    fn tests_do_not_make_a_file_long() {
        let with_tests = |count| {
            format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(count), "y\n".repeat(99))
        };
        assert_eq!(line_count(&with_tests(400)), 400);
        let at = |count, path: &str| {
            long(&[Source { path: path.to_owned(), text: with_tests(count) }]).len()
        };
        assert_eq!(at(400, "src/a.rs"), 0);
        assert_eq!(at(401, "src/a.rs"), 1);
        assert_eq!(at(401, "src/a/tests.rs"), 0);
        assert_eq!(at(401, "README.md"), 0);
    }
}
