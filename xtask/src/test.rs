//! `cargo xtask test`: the one command that shows whether Doorward works.

use crate::step::{self, Outcome};
use crate::{npm, packages};

/// Installs what is missing, then runs the examples in the documentation, then everything else.
///
/// The larger part comes last, so that its count is the last line.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    packages::ensure(&packages::BROWSER)?;
    packages::ensure(&packages::PYTHON)?;
    npm::ensure()?;
    packages::ensure(&packages::DATABASE)?;
    packages::ensure(&packages::CERTIFICATES)?;
    packages::ensure(&packages::MODELS)?;
    packages::unpack_proxies()?;
    step::run(&mut step::command(&["cargo", "test", "--workspace", "--doc"]))?;
    // Tests start them as a reader does.
    step::run(&mut step::command(&["cargo", "build", "--bins", "--workspace"]))?;
    if step::read(&mut step::command(&["cargo", "nextest", "--version"])).is_ok() {
        let words = [&["cargo", "nextest", "run", "--workspace"], arguments].concat();
        return step::run_last(&mut step::command(&words));
    }
    eprintln!("cargo-nextest is not here: cargo's own runner does the same, one program at a time");
    let words = [&["cargo", "test", "--workspace", "--all-targets"], arguments].concat();
    step::run_last(&mut step::command(&words))
}
