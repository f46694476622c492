//! Configuration: flag, then environment, then file, then default. Only this file may ask the
//! environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use doorward_core::binding::Policy;
use doorward_core::credential::{HashParams, PasswordPolicy};
use doorward_core::data::DataKey;
use doorward_core::session::{Lifetimes, Limits};
use doorward_server::settings::{Audience, Settings, Site};
use doorward_wire::jose::Algorithm;
use ipnet::IpNet;
use serde::Deserialize;

use crate::data_dir::DATABASE;

pub use self::cors::CorsConfig;
pub use self::signals::{PlacesConfig, SignalsConfig};
pub use self::site::{ForwardAuthConfig, SiteConfig};
pub use self::value::{AlgorithmName, Bound, Length, Secret};

mod cors;
mod fault;
mod signals;
mod site;
mod value;

/// What every setting's name in the environment begins with.
const PREFIX: &str = "DOORWARD_";

/// The configuration file, unless another is named.
const USUAL: &str = "doorward.toml";

/// The settings that may also be in a file of their own, which `DOORWARD_SECTION__KEY_FILE` names.
const SECRETS: [(&str, &str); 2] = [("server", "store"), ("server", "master_key")];

/// The most keys of session data that go over at login.
const CARRY_MAX: usize = 64;
/// The memory of the table of live sessions: 350 000 of them, on a small machine.
const SESSION_MEMORY_MIB: usize = 256;
/// The most of it: more sessions than one machine serves.
const SESSION_MEMORY_MIB_MAX: usize = 64 * 1024;

/// The configuration file, or what the environment adds to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the server listens and is reached.
    pub server: ServerConfig,
    /// Who may make an account.
    pub registration: RegistrationConfig,
    /// What a password must be.
    pub password: PasswordConfig,
    /// What a password's hash costs.
    pub hash: HashConfig,
    /// How long sessions last.
    pub session: SessionConfig,
    /// Our own tokens.
    pub token: TokenConfig,
    /// Where addresses are.
    pub places: PlacesConfig,
    /// What is done when a request does not look like its session's own.
    pub signals: SignalsConfig,
    /// Other services that tokens may be for.
    pub audience: Vec<AudienceConfig>,
    /// Whose scripts may use the API with a token.
    pub cors: CorsConfig,
    /// How browsers reach the sites behind a proxy that asks us.
    pub forward_auth: ForwardAuthConfig,
    /// The sites behind a proxy that asks us.
    pub site: Vec<SiteConfig>,
    /// What is logged.
    pub log: LogConfig,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The address to listen on: `127.0.0.1:7117`.
    pub listen: Option<String>,
    /// The data folder: `./doorward-data`.
    pub data: Option<PathBuf>,
    /// The public URL, which makes it production.
    pub url: Option<String>,
    /// The proxies whose `X-Forwarded-*` count.
    pub trusted_proxies: Vec<IpNet>,
    /// The store: `sqlite:/path/to/doorward.db`, or `postgres://user@host/database`. By default a SQLite
    /// file in the data folder.
    pub store: Option<Secret>,
    /// The master key, where it is not in the data folder: the text of a `master.key`.
    pub master_key: Option<Secret>,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In a SQLite file.
    File(PathBuf),
    /// In a PostgreSQL database, by its URL.
    Postgres(Secret),
}

/// `[registration]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationConfig {
    /// Whether anybody may make an account. By default only in development.
    pub open: Option<bool>,
}

/// `[password]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordConfig {
    /// The fewest characters, from 8 to 64. 15 by default.
    pub length_min: Option<u8>,
}

/// `[hash]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashConfig {
    /// Memory, in KiB. 19456 by default.
    pub memory_kib: Option<u32>,
    /// Passes over the memory. 2 by default.
    pub passes: Option<u32>,
    /// Lanes. 1 by default.
    pub lanes: Option<u32>,
    /// How many threads hash. As many as cores by default.
    pub threads: Option<usize>,
}

/// `[session]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// The longest silence: `1h`.
    pub idle: Option<Length>,
    /// The longest life: `24h`.
    pub absolute: Option<Length>,
    /// The longest silence of a session that was to be remembered: `14d`.
    pub remembered_idle: Option<Length>,
    /// The longest life of a session that was to be remembered: `30d`.
    pub remembered_absolute: Option<Length>,
    /// How much silence two factors outlast: `1h`.
    pub aal2_idle: Option<Length>,
    /// How long two factors count: `24h`.
    pub aal2_absolute: Option<Length>,
    /// The longest silence of a session at the highest assurance: `15m`.
    pub aal3_idle: Option<Length>,
    /// The longest life of a session at the highest assurance: `12h`.
    pub aal3_absolute: Option<Length>,
    /// The keys of session data that go over when a visitor signs in on the pages: `["basket"]`.
    pub carry: Vec<String>,
    /// How long a copy of a bound session's cookies is worth something, `10m`, or `off`.
    pub bound: Option<Bound>,
    /// The most memory for the table of live sessions, in MiB: 256. With 0 each request asks the
    /// database.
    pub memory_mib: Option<usize>,
}

/// `[token]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    /// The algorithm of tokens for our own API: `EdDSA`, `ES256`, `RS256` or `HS256`.
    pub algorithm: Option<AlgorithmName>,
    /// Whether each access token has a place in a status list, for verifiers that know no feed of ours.
    pub status_list: bool,
}

/// `[[audience]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudienceConfig {
    /// The `aud` of its tokens.
    pub name: String,
    /// The one algorithm its tokens are signed with.
    pub algorithm: AlgorithmName,
    /// The scopes that may be granted for it.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// What is logged: `info`.
    pub filter: Option<String>,
}

/// The flags of `serve`, which win over everything.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--url`
    pub url: Option<String>,
    /// `--trusted-proxy`
    pub trusted_proxies: Vec<IpNet>,
    /// `--store`
    pub store: Option<String>,
}

/// Reads the environment and the file, and puts the flags over them.
pub fn read(flags: &Flags) -> anyhow::Result<Config> {
    let file = file(flags.config.as_deref())?;
    let mut config = match &file {
        Some((path, text)) => {
            toml::from_str::<Config>(text).map_err(|error| fault::in_file(&error, path, text))?;
            with_environment(toml::from_str(text).context("reading the file again")?)?
        }
        None => with_environment(toml::Table::new())?,
    };
    if flags.listen.is_some() {
        config.server.listen.clone_from(&flags.listen);
    }
    if flags.data.is_some() {
        config.server.data.clone_from(&flags.data);
    }
    if flags.url.is_some() {
        config.server.url.clone_from(&flags.url);
    }
    if flags.store.is_some() {
        config.server.store = flags.store.clone().map(Secret::new);
    }
    if !flags.trusted_proxies.is_empty() {
        config.server.trusted_proxies.clone_from(&flags.trusted_proxies);
    }
    Ok(config)
}

/// The file that is read, or would be if it were there.
#[must_use]
pub fn path(named: Option<&Path>) -> &Path {
    named.unwrap_or(Path::new(USUAL))
}

/// The file that was named, or `./doorward.toml` if there is one.
fn file(named: Option<&Path>) -> anyhow::Result<Option<(PathBuf, String)>> {
    let usual = Path::new(USUAL);
    let path = match named {
        Some(path) => path,
        None if usual.exists() => usual,
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the configuration {}", path.display()))?;
    Ok(Some((path.to_owned(), text)))
}

/// Puts `DOORWARD_SECTION__KEY` over the file's `[section] key`.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the environment")]
fn with_environment(mut table: toml::Table) -> anyhow::Result<Config> {
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let Some((section, key)) = rest.split_once("__").or_else(|| short(rest)) else {
            // Kubernetes sets DOORWARD_PORT and DOORWARD_SERVICE_HOST for a service of this name.
            continue;
        };
        let value = value.into_string().map_err(|_| anyhow::anyhow!("{name} is not text"))?;
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let is_secret = |key: &str| SECRETS.contains(&(section.as_str(), key));
        if let Some(key) = key.strip_suffix("_file").filter(|key| is_secret(key)) {
            let text = std::fs::read_to_string(&value)
                .with_context(|| format!("reading {value}, which {name} names"))?;
            let secret = toml::Value::String(text.trim_end().to_owned());
            let entry = table.entry(section).or_insert_with(|| toml::Table::new().into());
            if let Some(section_table) = entry.as_table_mut() {
                section_table.insert(key.to_owned(), secret);
            }
            continue;
        }
        let entry = table.entry(section.clone()).or_insert_with(|| toml::Table::new().into());
        let Some(section_table) = entry.as_table_mut() else {
            bail!("{name} cannot be set in the environment\nTry: write [[{section}]] in a file");
        };
        // A secret is text, whatever it looks like: no error shows it.
        let literal = (!is_secret(&key)).then(|| format!("value = {value}"));
        let literal = literal.and_then(|literal| toml::from_str::<toml::Table>(&literal).ok());
        let parsed = literal.and_then(|mut table| table.remove("value"));
        section_table.insert(key, parsed.unwrap_or(toml::Value::String(value)));
        let alone: toml::Table = [(section, entry_of(section_table))].into_iter().collect();
        alone.try_into::<Config>().map_err(|error| fault::in_environment(&error, name))?;
    }
    table.try_into().context("reading the configuration")
}

/// The settings that unit files and images usually set have short names too.
fn short(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "DATA" => Some(("server", "data")),
        "LISTEN" => Some(("server", "listen")),
        "URL" => Some(("server", "url")),
        _ => None,
    }
}

fn entry_of(table: &toml::Table) -> toml::Value {
    toml::Value::Table(table.clone())
}

/// `DOORWARD_LOG`, which may be set before any file is read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the environment")]
pub fn log_filter() -> Option<String> {
    std::env::var("DOORWARD_LOG").ok()
}

/// Whether somebody sits before this machine's own screen.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the environment")]
pub fn has_desktop() -> bool {
    let set = |name| std::env::var_os(name).is_some();
    (set("DISPLAY") || set("WAYLAND_DISPLAY")) && !set("CI") && !set("SSH_CONNECTION")
}

/// Whether an address has a password in it, which everybody on the machine can read on a command line.
#[must_use]
pub fn tells_a_password(url: &str) -> bool {
    let authority = url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':')) || url.contains("password=")
}

impl Config {
    /// The address to listen on. In development it is one of this machine alone.
    pub fn listen(&self) -> anyhow::Result<SocketAddr> {
        let text = self.server.listen.as_deref().unwrap_or("127.0.0.1:7117");
        let address: SocketAddr = text.parse().map_err(|_| {
            anyhow::anyhow!("{text} is not an address to listen on\nTry: --listen 127.0.0.1:7117")
        })?;
        if self.server.url.is_none() && !address.ip().is_loopback() {
            bail!(
                "development mode answers on this machine only, and {address} is open to others\n\
                 Try: --url https://id.example.com, or --listen 127.0.0.1:7117"
            );
        }
        Ok(address)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.server.data.as_deref().unwrap_or(Path::new("./doorward-data"))
    }

    /// Where everything is kept.
    pub fn store(&self) -> anyhow::Result<StorePlace> {
        let Some(url) = &self.server.store else {
            return Ok(StorePlace::File(self.data().join(DATABASE)));
        };
        let (scheme, rest) = url.expose().split_once(':').unwrap_or((url.expose(), ""));
        match (scheme, rest.strip_prefix("//").unwrap_or(rest)) {
            ("sqlite", path) if !path.is_empty() => Ok(StorePlace::File(PathBuf::from(path))),
            ("postgres" | "postgresql", address) if !address.is_empty() => {
                Ok(StorePlace::Postgres(url.clone()))
            }
            _ => bail!(
                "a store is a SQLite file or a PostgreSQL database\nTry: --store \
                 sqlite:/path/to/doorward.db, or --store postgres://doorward@localhost/doorward"
            ),
        }
    }

    /// The file of the embedded database, for what can be done with a file alone.
    pub fn database(&self) -> anyhow::Result<PathBuf> {
        match self.store()? {
            StorePlace::File(path) => Ok(path),
            StorePlace::Postgres(_) => bail!(
                "this is for the embedded database, and PostgreSQL has its own tools\nTry: pg_dump, \
                 pg_restore, pg_amcheck"
            ),
        }
    }

    /// Checks everything and lays it out for a server that listens on `port`.
    pub fn settings(&self, port: u16) -> anyhow::Result<Settings> {
        let site = self.site(port)?;
        let development = matches!(site, Site::Development { .. });
        let default = HashParams::default();
        let hash = HashParams::new(
            self.hash.memory_kib.unwrap_or(default.memory_kib()),
            self.hash.passes.unwrap_or(default.passes()),
            self.hash.lanes.unwrap_or(default.lanes()),
        )
        .context("in [hash]")?;
        let password = match self.password.length_min {
            Some(length_min) => PasswordPolicy::new(length_min).context("in [password]")?,
            None => PasswordPolicy::default(),
        };
        let names: Vec<&str> =
            self.audience.iter().map(|audience| audience.name.as_str()).collect();
        for (index, name) in names.iter().enumerate() {
            if name.is_empty() || *name == site.issuer() || names[..index].contains(name) {
                bail!(
                    "[[audience]] \"{name}\" is empty, named twice, or Doorward's own\nTry: one \
                     [[audience]] for each service"
                );
            }
        }
        let audiences = self.audience.iter().map(|audience| Audience {
            name: audience.name.clone(),
            algorithm: audience.algorithm.0,
            scopes: audience.scopes.clone(),
        });
        let site_domain = match &site {
            Site::Development { .. } if self.forward_auth.domain.is_some() => bail!(
                "[forward_auth] domain means nothing in development\nTry: --url https://id.example.com"
            ),
            Site::Development { .. } => None,
            Site::Production { .. } => self.forward_auth.domain(site.host())?,
        };
        let sites = site::sites(&self.site)?;
        Ok(Settings {
            site_domain,
            sites: sites.into(),
            site,
            registration_open: self.registration.open.unwrap_or(development),
            password,
            hash,
            lifetimes: self.lifetimes()?,
            carry: self.carry()?,
            binding: self.session.bound.map_or_else(Policy::default, |bound| bound.0),
            signals: self.signals.reactions(),
            algorithm: self.token.algorithm.map_or(Algorithm::EdDsa, |name| name.0),
            status_list: self.token.status_list,
            audiences: audiences.collect(),
            cors: self.cors.origins()?,
        })
    }

    fn site(&self, port: u16) -> anyhow::Result<Site> {
        let Some(url) = &self.server.url else {
            if !self.server.trusted_proxies.is_empty() {
                bail!(
                    "a trusted proxy means nothing in development\nTry: --url https://id.example.com"
                );
            }
            return Ok(Site::Development { issuer: format!("http://localhost:{port}") });
        };
        let origin = url.strip_suffix('/').unwrap_or(url);
        let host = origin.strip_prefix("https://").unwrap_or_default();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
        if host.is_empty() || !host.bytes().all(plain) || host.ends_with(":443") {
            bail!(
                "--url must be an https origin in lower case, without path or default port, not {url}\n\
                 Try: --url https://id.example.com"
            );
        }
        if self.server.trusted_proxies.is_empty() {
            bail!(
                "{origin} must be served over HTTPS, and no proxy is trusted to do so\nTry: put a \
                 proxy with TLS in front and name it: --trusted-proxy 127.0.0.1/32"
            );
        }
        let trusted_proxies = self.server.trusted_proxies.clone();
        Ok(Site::Production { origin: origin.to_owned(), trusted_proxies })
    }

    fn carry(&self) -> anyhow::Result<Vec<DataKey>> {
        let names = &self.session.carry;
        if names.len() > CARRY_MAX {
            bail!("[session] carry has more than {CARRY_MAX} keys\nTry: carry = [\"basket\"]");
        }
        let key = |name: &String| {
            DataKey::parse(name).map_err(|_| {
                anyhow!("[session] carry: {name:?} is no key\nTry: 1 to 64 characters of A-Z a-z 0-9 . _ -")
            })
        };
        names.iter().map(key).collect()
    }

    /// The most bytes of the table of live sessions, or `None` if there is to be none.
    pub fn session_table_bytes(&self) -> anyhow::Result<Option<usize>> {
        let mib = self.session.memory_mib.unwrap_or(SESSION_MEMORY_MIB);
        if mib > SESSION_MEMORY_MIB_MAX {
            bail!(
                "[session] memory_mib is {mib}, and the most is {SESSION_MEMORY_MIB_MAX}\nTry: \
                 memory_mib = 200, for a million sessions"
            );
        }
        Ok((mib > 0).then_some(mib * 1024 * 1024))
    }

    fn lifetimes(&self) -> anyhow::Result<Lifetimes> {
        let default = Lifetimes::default();
        let or = |length: Option<Length>, default: Duration| length.map_or(default, |set| set.0);
        let session = &self.session;
        let limits = |idle, absolute, default: Limits| Limits {
            idle: or(idle, default.idle),
            absolute: or(absolute, default.absolute),
        };
        let ordinary = limits(session.idle, session.absolute, default.ordinary);
        let remembered =
            limits(session.remembered_idle, session.remembered_absolute, default.remembered);
        let aal2 = limits(session.aal2_idle, session.aal2_absolute, default.aal2);
        let aal3 = limits(session.aal3_idle, session.aal3_absolute, default.aal3);
        // `seen_at` may be a touch behind, and a session would be called idle that much early.
        let shortest = ordinary.idle.min(remembered.idle).min(aal2.idle).min(aal3.idle);
        let touch = default.touch.min(shortest / 4);
        let longest = ordinary.absolute.max(remembered.absolute);
        if longest > doorward_wire::cookie::MAX_AGE_MAX {
            bail!("no session may last longer than 400 days\nTry: remembered_absolute = \"30d\"");
        }
        Ok(Lifetimes { ordinary, remembered, aal2, aal3, touch })
    }
}

#[cfg(test)]
mod tests;
