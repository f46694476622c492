//! Debian's nginx in front of a server: with TLS or without, with a cache or without.
//!
//! ```no_run
//! let plan = Plan::tls();                                // its port is ours from here on
//! let server = Server::behind(&plan.origin()).await;     // production, under that origin
//! let nginx = plan.start(server.address, SERVER).await;  // SERVER: `proxy_pass http://doorward;` …
//! let visitor = nginx.browser(&server.origin);           // speaks to nginx (plain HTTP only)
//! let trusted = nginx.certificate();                     // for a real browser
//! ```
//!
//! It has a folder of its own for everything it reads and writes, stays in the foreground, and ends
//! with its test. Nothing of the system's nginx is read, started or stopped.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64, Encoding};
use rustix::process::{Pid, Signal, kill_process};

use super::browser::Browser;
use super::client::Client;
use super::folder::Folder;
use super::wait::eventually;

/// The name that its certificate is for.
pub(crate) const NAME: &str = "doorward.test";

/// Where Debian puts it, and where `cargo xtask test` puts it if the system has none.
const PLACES: [&str; 2] = ["/usr/sbin/nginx", "../../target/debian/usr/sbin/nginx"];

/// An nginx that has its port and its folder, and does not run yet.
///
/// The port is known first because a production server must know its own origin.
pub(crate) struct Plan {
    listener: TcpListener,
    folder: Folder,
    is_tls: bool,
    http: String,
}

/// A running nginx. Dropped, it is ended.
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
    folder: Folder,
}

impl Plan {
    /// One that speaks plain HTTP: TLS ended before it.
    pub(crate) fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // nginx leaves a socket that it was given as it is, and would wait in `accept` for ever.
        listener.set_nonblocking(true).unwrap();
        Self { listener, folder: Folder::fresh(), is_tls: false, http: String::new() }
    }

    /// One that speaks HTTPS for [`NAME`] with a certificate that it has signed itself just now.
    pub(crate) fn tls() -> Self {
        let plan = Self { is_tls: true, ..Self::plain() };
        let names = format!("subjectAltName=DNS:{NAME},DNS:*.{NAME},DNS:localhost,IP:127.0.0.1");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "7", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=doorward.test"])
            .args(["-addext", &names, "-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(plan.folder.path())
            .output()
            .expect("openssl is missing: apt install openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        plan
    }

    /// Puts more into its `http { … }`: where a cache is kept, or a server of another name. Paths are
    /// below its folder.
    pub(crate) fn http(mut self, text: &str) -> Self {
        self.http.push_str(text);
        self
    }

    /// The port that it will listen on.
    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The origin that it will serve, where TLS ends here.
    pub(crate) fn origin(&self) -> String {
        format!("https://{NAME}:{}", self.port())
    }

    /// Starts it in front of `upstream`. `server` is what stands in its `server { … }`, and calls
    /// the upstream `http://doorward`.
    pub(crate) async fn start(self, upstream: SocketAddr, server: &str) -> Nginx {
        let address = self.listener.local_addr().unwrap();
        let configuration = self.configuration(upstream, server);
        std::fs::write(self.folder.join("nginx.conf"), configuration).unwrap();
        let errors = std::fs::File::create(self.folder.join("stderr.log")).unwrap();
        let child = Command::new(program())
            .arg("-p")
            .arg(self.folder.path())
            .arg("-e")
            .arg(self.folder.join("error.log"))
            .args(["-c", "nginx.conf"])
            // How an nginx hands its sockets to its successor: this one finds the port open on its
            // standard input, and nobody could take it in between.
            .env("NGINX", "0;")
            .stdin(Stdio::from(OwnedFd::from(self.listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(errors))
            .spawn()
            .unwrap();
        let mut nginx = Nginx { address, child, folder: self.folder };
        nginx.wait_until_ready().await;
        nginx
    }

    fn configuration(&self, upstream: SocketAddr, server: &str) -> String {
        let (port, http) = (self.port(), &self.http);
        let (ssl, keys) = if self.is_tls {
            (" ssl", "ssl_certificate certificate.pem; ssl_certificate_key key.pem;")
        } else {
            ("", "")
        };
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path temp-{what}; "))
            .concat();
        format!(
            "daemon off; worker_processes 1; user root; pid nginx.pid; error_log error.log notice;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
             access_log access.log; {folders}\n\
             upstream doorward {{ server {upstream}; }}\n\
             {http}\n\
             server {{\n\
             listen 127.0.0.1:{port}{ssl} default_server; {keys}\n\
             {server}\n\
             }}\n\
             }}\n"
        )
    }
}

impl Nginx {
    /// A client without a cookie that speaks to nginx, which it calls `host`. Plain HTTP only.
    pub(crate) fn client(&self, host: &str) -> Client {
        Client::new(self.address, host)
    }

    /// An empty browser whose pages come from `origin`. Plain HTTP only.
    pub(crate) fn browser(&self, origin: &str) -> Browser {
        Browser::new(self.client(origin.split_once("://").unwrap().1), origin)
    }

    /// Its certificate, which nobody but a test should trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The SHA-256 of its certificate's public key, for Chromium's list of keys to trust.
    pub(crate) fn key_digest(&self) -> String {
        let asked = Command::new("openssl")
            .args(["x509", "-noout", "-pubkey", "-in"])
            .arg(self.certificate())
            .output()
            .unwrap();
        let pem = String::from_utf8(asked.stdout).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = Base64::decode_vec(&base64).unwrap();
        Base64::encode_string(digest(&SHA256, &der).as_ref())
    }

    /// Everything that it has written about requests so far.
    pub(crate) fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.join("access.log")).unwrap_or_default()
    }

    /// Waits until it has read its configuration: until then there is no pid file.
    async fn wait_until_ready(&mut self) {
        let pid = self.folder.join("nginx.pid");
        let said = self.folder.join("error.log");
        let child = std::sync::Mutex::new(&mut self.child);
        eventually("an nginx that is ready", async || {
            if let Some(status) = child.lock().unwrap().try_wait().unwrap() {
                let said = std::fs::read_to_string(&said).unwrap_or_default();
                panic!("nginx ended with {status} before it was ready:\n{said}");
            }
            std::fs::read_to_string(&pid).ok().filter(|pid| !pid.is_empty())
        })
        .await;
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not SIGKILL: it must end its worker, and does so within a second. That it has ended by
        // itself is no error here.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// What `docs/how-to/behind-a-proxy.md` tells people to put into their `server { … }`, with our
/// upstream for theirs, and without the lines that say where it listens.
pub(crate) fn documented() -> String {
    let page = include_str!("../../docs/how-to/behind-a-proxy.md");
    let (_, block) = page.split_once("```nginx\nserver {\n").unwrap();
    let (block, _) = block.split_once("\n}\n```").unwrap();
    assert!(block.contains("http://127.0.0.1:7117"), "another upstream: {block}");
    let ours = |line: &&str| !["listen ", "server_name "].iter().any(|name| line.contains(name));
    let lines: Vec<&str> = block.lines().filter(ours).collect();
    lines.join("\n").replace("http://127.0.0.1:7117", "http://doorward")
}

/// The program, wherever it is.
fn program() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = PLACES.iter().map(|place| here.join(place)).find(|path| path.exists());
    found.expect("nginx is missing: `cargo xtask test` brings it, or apt install nginx")
}
