//! Debian's nginx, Caddy and `HAProxy` in front of an app, as the documentation sets them up.
//!
//! Each has a folder of its own, stays in the foreground and ends with its test. Nothing of the
//! system's is read, started or stopped.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;

use super::client::Client;
use super::example::free_ports;
use super::folder::Folder;
use super::nginx::{Nginx, Plan};
use super::wait::eventually;

/// The page whose snippets are run.
const PAGE: &str = include_str!("../../docs/how-to/protect-an-app.md");

/// Where `cargo xtask test` puts what the system does not have.
const UNPACKED: &str = "../../target/debian";

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Nginx,
    Caddy,
    HaProxy,
}

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    _running: Running,
}

enum Running {
    Nginx { _nginx: Nginx },
    Child { child: Child, _folder: Folder },
}

impl fmt::Display for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Caddy => "Caddy",
            Self::HaProxy => "HAProxy",
        })
    }
}

impl Make {
    pub(crate) const ALL: [Self; 3] = [Self::Nginx, Self::Caddy, Self::HaProxy];

    /// What the page says, with our addresses, and as if TLS had ended before it.
    pub(crate) fn configuration(self, app: SocketAddr, doorward: SocketAddr, port: u16) -> String {
        let text = match self {
            Self::Nginx => {
                let text =
                    block("nginx").replace("X-Forwarded-Proto $scheme", "X-Forwarded-Proto https");
                let text = text.replace("$scheme://", "https://");
                let inside = text.split_once('{').unwrap().1.rsplit_once('}').unwrap().0.to_owned();
                let ours =
                    |line: &&str| !["listen ", "server_name "].iter().any(|it| line.contains(it));
                inside.lines().filter(ours).collect::<Vec<_>>().join("\n")
            }
            Self::Caddy => {
                let text = block("caddy")
                    .replace("wiki.example.com {", &format!(":{port} {{\n\tbind 127.0.0.1"));
                let text =
                    text.replace("uri /api", "header_up X-Forwarded-Proto https\n\t\t\turi /api");
                format!("{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
            }
            Self::HaProxy => {
                let bind = format!("bind 127.0.0.1:{port}");
                let text = block("haproxy")
                    .replace("bind :443 ssl crt /etc/haproxy/wiki.example.com.pem", &bind);
                let defaults =
                    "defaults\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n";
                text.replace("\nfrontend", &format!("\n{defaults}\nfrontend"))
            }
        };
        assert!(text.contains("127.0.0.1:7117") && text.contains("127.0.0.1:8080"), "{text}");
        text.replace("127.0.0.1:7117", &doorward.to_string())
            .replace("127.0.0.1:8080", &app.to_string())
    }

    /// Starts it between `app` and `doorward`.
    pub(crate) async fn start(self, app: SocketAddr, doorward: SocketAddr) -> Proxy {
        if self == Self::Nginx {
            let plan = Plan::plain();
            let text = self.configuration(app, doorward, plan.port());
            let nginx = plan.start(doorward, &text).await;
            return Proxy { address: nginx.address, _running: Running::Nginx { _nginx: nginx } };
        }
        let [port] = free_ports();
        let folder = Folder::fresh();
        std::fs::write(folder.join("configuration"), self.configuration(app, doorward, port))
            .unwrap();
        let (name, words): (&str, &[&str]) = if self == Self::Caddy {
            ("usr/bin/caddy", &["run", "--adapter", "caddyfile", "--config", "configuration"])
        } else {
            let scheme = "txn.f:ssl_fc() == 1 and \"https\" or \"http\"";
            let lua = block("lua").replace(scheme, "\"https\"");
            std::fs::write(folder.join("doorward.lua"), lua).unwrap();
            ("usr/sbin/haproxy", &["-db", "-f", "configuration"])
        };
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(program(name))
            .args(words)
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", here(UNPACKED).join("usr/lib/x86_64-linux-gnu"))
            .env("XDG_DATA_HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = folder.join("log");
        let child = std::sync::Mutex::new(child);
        eventually("a proxy that listens", async || {
            if let Some(status) = child.lock().unwrap().try_wait().unwrap() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("{self} ended with {status} before it was ready:\n{said}");
            }
            TcpStream::connect(address).await.ok()
        })
        .await;
        Proxy {
            address,
            _running: Running::Child { child: child.into_inner().unwrap(), _folder: folder },
        }
    }
}

impl Proxy {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client that asks it for the wiki.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, "wiki.example.com")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self::Child { child, .. } = self else { return };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        // That it has ended by itself is no error here.
        let _ = kill_process(pid, Signal::TERM);
        let _ = child.wait();
    }
}

/// What the page says that a site in another domain needs beside the rest, in nginx, behind TLS.
pub(crate) fn far_nginx(doorward: SocketAddr) -> String {
    block("nginx-far").replace("127.0.0.1:7117", &doorward.to_string()).replace("$scheme", "https")
}

/// The page's snippet in a language.
fn block(language: &str) -> String {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    format!("{}\n", rest.split_once("\n```").unwrap().0)
}

/// What the page says was found, between its table's marks.
pub(crate) fn documented_table() -> &'static str {
    PAGE.split_once("<!-- proxies -->\n").map_or("", |(_, table)| table.trim())
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program, wherever it is.
fn program(name: &str) -> PathBuf {
    let found = [Path::new("/").join(name), here(UNPACKED).join(name)];
    let found = found.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: `cargo xtask test` brings it"))
}
