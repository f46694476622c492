//! What the tests need from npm: one file of rules for accessibility, run in the browser.
//!
//! The version and the digest of what is fetched stand in `package-lock.json`, and npm holds them. No
//! script of a package is run.

use std::fs;

use crate::step::{self, Failure, Outcome};

/// Where the lock file is kept.
const LOCKED: &str = "tests/chromium/axe";

/// Where what is fetched goes, and the tests look for it.
const FETCHED: &str = "target/axe";

/// Fetches what is not there yet, in the version that is locked.
pub(crate) fn ensure() -> Outcome {
    let (locked, fetched) = (step::root().join(LOCKED), step::root().join(FETCHED));
    let lock = fs::read(locked.join("package-lock.json"))
        .map_err(Failure::while_doing("package-lock.json"))?;
    let is_here = fetched.join("node_modules/axe-core/axe.min.js").is_file();
    if is_here && fs::read(fetched.join("package-lock.json")).is_ok_and(|kept| kept == lock) {
        return Ok(());
    }
    fs::create_dir_all(&fetched).map_err(Failure::while_doing("the folder for axe-core"))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(locked.join(name), fetched.join(name)).map_err(Failure::while_doing(name))?;
    }
    let words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    step::run(step::command(&words).current_dir(&fetched))
        .map_err(|failure| failure.or_try("look whether npm reaches its registry"))
}
