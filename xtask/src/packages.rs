//! The programs that Rust does not bring, by the names of their Debian packages.

use crate::step::{self, Failure, Outcome};

/// A program, and the package that brings it.
pub(crate) struct Package {
    program: &'static str,
    name: &'static str,
}

/// What the tests need: a real browser, and what drives it.
pub(crate) const BROWSER: [Package; 2] = [
    Package { program: "chromium", name: "chromium" },
    Package { program: "chromedriver", name: "chromium-driver" },
];

/// What a measurement needs: a load, and a way to keep it off the server's core.
pub(crate) const LOAD: [Package; 2] =
    [Package { program: "wrk", name: "wrk" }, Package { program: "taskset", name: "util-linux" }];

/// Installs what is missing, as root or through sudo, or says what it would have installed.
pub(crate) fn ensure(packages: &[Package]) -> Outcome {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| !step::is_here(package.program))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let install = format!("install the packages {names}, then run this again");
    if !step::is_here("apt-get") {
        let cause = format!("missing, and there is no apt-get to install them: {names}");
        return Err(Failure::new(cause).or_try(install));
    }
    let sudo: &[&str] = if is_root()? {
        &[]
    } else if step::is_here("sudo") {
        &["sudo"]
    } else {
        let cause = format!("missing, and only root can install them: {names}");
        return Err(Failure::new(cause).or_try(format!("as root, {install}")));
    };
    let apt: [&str; 4] = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let bring = [&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat();
    for verb in [&["update"], bring.as_slice()] {
        let mut command = step::command(&[sudo, &apt, verb].concat());
        step::run(&mut command).map_err(|failure| failure.or_try(install.clone()))?;
    }
    Ok(())
}

fn is_root() -> Outcome<bool> {
    Ok(step::read(&mut step::command(&["id", "-u"]))?.trim() == "0")
}
