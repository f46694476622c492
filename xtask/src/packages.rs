//! The programs that Rust does not bring, by the names of their Debian packages.

use std::path::Path;

use crate::step::{self, Failure, Outcome};

/// A program, and the package that brings it.
pub(crate) struct Package {
    program: &'static str,
    name: &'static str,
}

/// What the tests need: a real browser, what drives it, and what fetches the rules for its pages.
pub(crate) const BROWSER: [Package; 3] = [
    Package { program: "chromium", name: "chromium" },
    Package { program: "chromedriver", name: "chromium-driver" },
    Package { program: "npm", name: "npm" },
];

/// What makes certificates for the tests.
pub(crate) const CERTIFICATES: [Package; 1] = [Package { program: "openssl", name: "openssl" }];

/// What checks models, and the C compiler that it needs.
pub(crate) const MODELS: [Package; 2] =
    [Package { program: "spin", name: "spin" }, Package { program: "cc", name: "gcc" }];

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

/// Fetches nginx and unpacks it below `target/`, if the system has none.
///
/// It is not installed: installing it starts a server on port 80 and writes into `/etc`, and a test
/// wants neither. What it links to is on every Debian.
pub(crate) fn unpack_nginx() -> Outcome {
    let folder = step::root().join("target/debian");
    let program = "usr/sbin/nginx";
    if Path::new("/").join(program).is_file() || folder.join(program).is_file() {
        return Ok(());
    }
    let unpacked = folder.display().to_string();
    std::fs::create_dir_all(&folder).map_err(Failure::while_doing(unpacked.clone()))?;
    let remedy = "install nginx, then run this again";
    let mut fetch = step::command(&["apt-get", "-q", "download", "nginx"]);
    step::run(fetch.current_dir(&folder)).map_err(|failure| failure.or_try(remedy))?;
    let unpack = "for package in nginx_*.deb; do dpkg-deb -x \"$package\" .; done";
    let mut unpack = step::command(&["sh", "-c", unpack]);
    step::run(unpack.current_dir(&folder)).map_err(|failure| failure.or_try(remedy))
}

fn is_root() -> Outcome<bool> {
    Ok(step::read(&mut step::command(&["id", "-u"]))?.trim() == "0")
}
