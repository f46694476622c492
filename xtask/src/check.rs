//! `cargo xtask check`: formatting, lints, documentation, and the rules of the house.

use crate::step::{self, Failure, Outcome};

mod direction;
mod reasons;
mod sources;

/// Checks everything that can be checked without running a test. The quickest comes first.
pub(crate) fn run() -> Outcome {
    house()?;
    step::run(&mut step::command(&["cargo", "fmt", "--all", "--check"]))
        .map_err(|failure| failure.or_try("cargo fmt --all"))?;
    let clippy = "cargo clippy --workspace --all-targets -- -D warnings";
    step::run(&mut step::command(&clippy.split(' ').collect::<Vec<_>>()))?;
    let mut doc = step::command(&["cargo", "doc", "--no-deps", "--workspace"]);
    step::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The rules that no compiler knows. All that is wrong is told at once.
fn house() -> Outcome {
    let mut wrong = Vec::new();
    wrong.extend(direction::wrong()?);
    wrong.extend(reasons::wrong()?);
    let sources = sources::read()?;
    wrong.extend(sources::wrong(&sources));
    for long in sources::long(&sources) {
        eprintln!("warning: {long}");
    }
    for what in &wrong {
        eprintln!("error: {what}");
    }
    if wrong.is_empty() {
        eprintln!("the rules of the house hold\n");
        return Ok(());
    }
    Err(Failure::new(format!("{} of the house's rules broken", wrong.len())))
}
