//! What the tests need from npm and `PyPI`: rules for accessibility, run in the browser, and the libraries that
//! verify our tokens in other languages.
//!
//! The version and the digest of what is fetched stand in `package-lock.json`, and npm holds them. No
//! script of a package is run.

use std::fs;

use crate::step::{self, Failure, Outcome};

/// Where a lock file is kept, where what is fetched goes and the tests look for it, and one file of it.
const FROM_NPM: [(&str, &str, &str); 2] = [
    ("tests/chromium/axe", "target/axe", "node_modules/axe-core/axe.min.js"),
    ("tests/languages", "target/languages", "node_modules/oauth4webapi/package.json"),
];

/// What Python needs, by name and version.
const FROM_PYPI: &str = "tests/languages/requirements.txt";

/// Where Python finds it.
const PYTHON: &str = "target/languages/python";

/// Fetches what is not there yet, in the version that is locked.
pub(crate) fn ensure() -> Outcome {
    FROM_NPM.iter().try_for_each(|names| ensure_npm(*names))?;
    ensure_pypi()
}

fn ensure_npm((locked, fetched, probe): (&str, &str, &str)) -> Outcome {
    let (locked, fetched) = (step::root().join(locked), step::root().join(fetched));
    let lock = fs::read(locked.join("package-lock.json"))
        .map_err(Failure::while_doing("package-lock.json"))?;
    let is_here = fetched.join(probe).is_file();
    if is_here && fs::read(fetched.join("package-lock.json")).is_ok_and(|kept| kept == lock) {
        return Ok(());
    }
    fs::create_dir_all(&fetched).map_err(Failure::while_doing("a folder for packages"))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(locked.join(name), fetched.join(name)).map_err(Failure::while_doing(name))?;
    }
    let words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    step::run(step::command(&words).current_dir(&fetched))
        .map_err(|failure| failure.or_try("look whether npm reaches its registry"))
}

/// An environment of its own: nothing of the machine's is changed.
fn ensure_pypi() -> Outcome {
    let folder = step::root().join(PYTHON);
    let wanted = fs::read(step::root().join(FROM_PYPI)).map_err(Failure::while_doing(FROM_PYPI))?;
    let kept = folder.join("requirements.txt");
    if fs::read(&kept).is_ok_and(|kept| kept == wanted) {
        return Ok(());
    }
    step::run(step::command(&["python3", "-m", "venv", PYTHON]).current_dir(step::root()))
        .map_err(|failure| failure.or_try("install the package python3-venv"))?;
    let pip = folder.join("bin/pip");
    let pip = pip.to_string_lossy();
    let words = [
        &*pip,
        "install",
        "-q",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "-r",
        FROM_PYPI,
    ];
    step::run(step::command(&words).current_dir(step::root()))
        .map_err(|failure| failure.or_try("look whether pip reaches PyPI"))?;
    fs::write(&kept, wanted).map_err(Failure::while_doing("what Python has"))
}
