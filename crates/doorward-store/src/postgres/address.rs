//! Where the database is, and how it is reached: a URL, whose password nobody gets to see.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::fault::{Fault, sentence};
use super::tls::Tls;

/// How long to wait for one server to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a silent connection is left alone before the machine asks whether the other still lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);

/// How long between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);

/// How many of them may stay unanswered.
const KEEPALIVE_RETRIES: u32 = 3;

/// How long what was sent may stay without an acknowledgement.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database is.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
}

impl Address {
    /// Reads a URL, as libpq does, and `key=value` pairs too.
    ///
    /// `sslmode=verify-ca` and `verify-full` mean `require`, which verifies in any case. With
    /// `sslrootcert=` those in a file are trusted instead of those whom the machine trusts.
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let (url, root) = without_root(url);
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        let mut config = url.parse::<Config>().map_err(|error| unread(&sentence(&error)))?;
        config
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(USER_TIMEOUT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("doorward");
        }
        // Of many servers the one that takes writes, which another can become at any time.
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let address = Self { config, tls: Tls::trusting(root.as_deref())? };
        address.warn();
        Ok(address)
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Why there is no connection, and what could help.
    pub(super) fn explain(&self, cause: &str) -> Fault {
        let hint = if cause.contains("TLS") && self.config.get_ssl_mode() == SslMode::Prefer {
            " (the server offers TLS, and so its certificate is verified: name its authority with \
             sslrootcert=, or on a trusted network set sslmode=disable)"
        } else if cause.contains("does not allow writes") {
            " (it is a standby: name the primary too)"
        } else {
            ""
        };
        Fault::Unreachable(format!("{cause}{hint}"))
    }

    /// Warns of a way on which others could listen.
    fn warn(&self) {
        let is_far = |host: &Host| match host {
            Host::Tcp(name) => {
                let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
                !is_loopback && name != "localhost"
            }
            Host::Unix(_) => false,
        };
        if self.config.get_ssl_mode() != SslMode::Require
            && self.config.get_hosts().iter().any(is_far)
        {
            tracing::warn!(
                "the way to the database is not always private: set sslmode=require in its URL"
            );
        }
    }
}

/// Shows no password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("hosts", &self.config.get_hosts())
            .field("ports", &self.config.get_ports())
            .field("dbname", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

/// Why an address cannot be read. What the library says is passed on where it names a setting; else it
/// could be a piece of the password.
fn unread(cause: &str) -> Fault {
    const SHAPE: &str = "postgresql://user:password@host/database";
    let setting = cause.split_once("invalid value for option").map(|(_, setting)| setting);
    Fault::Address(setting.map_or_else(
        || format!("it cannot be read; its shape is {SHAPE}, with % before what is no letter"),
        |setting| format!("invalid value for the setting{setting}"),
    ))
}

/// Takes `sslrootcert=` out of a URL, or of pairs: the library does not know it.
fn without_root(url: &str) -> (String, Option<String>) {
    const NAME: &str = "sslrootcert=";
    let Some(begin) = url.find(NAME) else { return (url.to_owned(), None) };
    let rest = &url[begin + NAME.len()..];
    let end = rest.find(['&', ' ']).unwrap_or(rest.len());
    let (file, after) = rest.split_at(end);
    let mut before = &url[..begin];
    let mut after = after;
    if let Some(next) = after.strip_prefix(['&', ' ']) {
        after = next;
    } else {
        before = before.trim_end_matches(['?', '&', ' ']);
    }
    (format!("{before}{after}"), Some(file.replace("%2F", "/").replace("%2f", "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let address = Address::parse("postgresql://ada:s3cret@db.example:5433/doorward").unwrap();
        let shown = format!("{address:?}");
        assert!(shown.contains("db.example") && !shown.contains("s3cret"), "{shown}");
        for wrong in [
            "postgresql://ada:s3cret@db.example:port/doorward",
            "postgresql://ada:s3cret@db.example/doorward?sslmode=perhaps",
            "postgresql://ada:s3cret@db.example/doorward?s3cret=1",
        ] {
            let told = Address::parse(wrong).unwrap_err().to_string();
            assert!(!told.contains("s3cret@"), "{told}");
        }
    }

    #[test]
    fn a_file_of_authorities_is_taken_out_of_the_url() {
        let check = |url, rest: &str, file: Option<&str>| {
            assert_eq!(without_root(url), (rest.to_owned(), file.map(str::to_owned)));
        };
        check("postgres://h/d", "postgres://h/d", None);
        check("postgres://h/d?sslrootcert=%2Fca.pem", "postgres://h/d", Some("/ca.pem"));
        check("postgres://h/d?sslrootcert=a.pem&x=1", "postgres://h/d?x=1", Some("a.pem"));
        check("postgres://h/d?x=1&sslrootcert=a.pem", "postgres://h/d?x=1", Some("a.pem"));
        check("host=h sslrootcert=a.pem user=u", "host=h user=u", Some("a.pem"));
    }

    #[test]
    fn a_server_that_takes_writes_is_asked_for() {
        let address = Address::parse("postgresql://a,b/doorward?sslmode=verify-full").unwrap();
        let config = address.config();
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
        assert_eq!(config.get_connect_timeout(), Some(&CONNECT_TIMEOUT));
    }
}
