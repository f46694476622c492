//! The programs that Rust does not bring, by the names of their Debian packages.

use std::path::{Path, PathBuf};

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

/// What verifies our tokens in Python.
pub(crate) const PYTHON: [Package; 1] = [Package { program: "python3", name: "python3-venv" }];

/// The database server that tests start. Debian keeps its programs out of the way of everybody, and so
/// we look for one that comes with them.
pub(crate) const DATABASE: [Package; 1] =
    [Package { program: "pg_ctlcluster", name: "postgresql" }];

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

/// A program of Debian's that is not installed, and the packages that bring it and what it needs beyond
/// every Debian.
type Unpacked = (&'static str, &'static [&'static str]);

const NGINX: Unpacked = ("usr/sbin/nginx", &["nginx"]);

/// The proxies that tests put Doorward behind.
const PROXIES: [Unpacked; 3] = [
    NGINX,
    ("usr/bin/caddy", &["caddy"]),
    (
        "usr/sbin/haproxy",
        &["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"],
    ),
];

/// Fetches the proxies that the system does not have, and unpacks them below `target/`.
///
/// They are not installed: installing one starts a server and writes into `/etc`, and a test wants
/// neither.
pub(crate) fn unpack_proxies() -> Outcome {
    PROXIES.iter().try_for_each(|proxy| unpack(proxy).map(drop))
}

/// Where nginx is, once it has been fetched if the system does not have it.
pub(crate) fn nginx() -> Outcome<PathBuf> {
    unpack(&NGINX)
}

fn unpack((program, packages): &Unpacked) -> Outcome<PathBuf> {
    let folder = step::root().join("target/debian");
    let (installed, unpacked) = (Path::new("/").join(program), folder.join(program));
    if let Some(here) = [&installed, &unpacked].into_iter().find(|path| path.is_file()) {
        return Ok(here.clone());
    }
    std::fs::create_dir_all(&folder).map_err(Failure::while_doing(folder.display().to_string()))?;
    let remedy = format!("install {}, then run this again", packages[0]);
    let words = [&["apt-get", "-q", "download"], *packages].concat();
    let mut fetch = step::command(&words);
    step::run(fetch.current_dir(&folder)).map_err(|failure| failure.or_try(remedy.clone()))?;
    for package in *packages {
        let unpack = format!("for package in {package}_*.deb; do dpkg-deb -x \"$package\" .; done");
        let mut unpack = step::command(&["sh", "-c", &unpack]);
        step::run(unpack.current_dir(&folder)).map_err(|failure| failure.or_try(remedy.clone()))?;
    }
    Ok(unpacked)
}

fn is_root() -> Outcome<bool> {
    Ok(step::read(&mut step::command(&["id", "-u"]))?.trim() == "0")
}
