//! nginx before the bare server: by itself, and asking Doorward about each request.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::server::Server;
use crate::packages;
use crate::step::{self, Failure, Outcome};

const START_MAX: Duration = Duration::from_secs(10);

/// A running nginx on core 0. It ends when this is dropped.
pub(super) struct Nginx {
    process: Child,
    /// `127.0.0.1:PORT`.
    pub(super) address: String,
}

impl Nginx {
    /// Starts one before `app`, which asks `doorward` about each request if there is one to ask.
    pub(super) fn start(folder: &Path, app: &Server, doorward: Option<&Server>) -> Outcome<Self> {
        fs::create_dir_all(folder).map_err(Failure::while_doing("a folder for nginx"))?;
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let text = configuration(&address, &app.address, doorward.map(|it| &*it.address));
        fs::write(folder.join("nginx.conf"), text).map_err(Failure::while_doing("nginx.conf"))?;
        let program = packages::nginx()?;
        let log = folder.join("nginx.log");
        let (program, place) = (program.to_string_lossy(), folder.to_string_lossy());
        let words = ["taskset", "-c", "0", &program, "-p", &place, "-c", "nginx.conf"];
        let process = step::command(&words)
            .env("LD_LIBRARY_PATH", step::root().join("target/debian/usr/lib/x86_64-linux-gnu"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(Failure::while_doing("a log"))?)
            .spawn()
            .map_err(Failure::while_doing("nginx"))?;
        let nginx = Self { process, address };
        let began = Instant::now();
        while TcpStream::connect(&nginx.address).is_err() {
            if began.elapsed() > START_MAX {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::new(format!("nginx did not listen\n{}", said.trim_end())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends the worker when it is asked to end, and not when it is killed.
        let id = self.process.id().to_string();
        let _ = step::read(&mut step::command(&["kill", "-TERM", &id]));
        let _ = self.process.wait();
    }
}

fn free_port() -> Outcome<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|it| it.local_addr());
    Ok(address.map_err(Failure::while_doing("a port for nginx"))?.port())
}

/// What nginx asks Doorward about each request, and where.
const ASK: &str = "
    auth_request /authz;
    auth_request_set $who $upstream_http_remote_user;
    proxy_set_header Remote-User $who;";

/// As `docs/how-to/protect-an-app.md` says, but that it answers over plain HTTP.
fn configuration(listen: &str, app: &str, doorward: Option<&str>) -> String {
    let ask = doorward.map_or("", |_| ASK);
    // An upstream needs an address; without Doorward nobody asks there.
    let doorward = doorward.unwrap_or(app);
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5; keepalive_requests 1000000;
  proxy_http_version 1.1;
  upstream app {{ server {app}; keepalive 64; }}
  upstream doorward {{ server {doorward}; keepalive 64; }}
  server {{
    listen {listen};
    location / {{
      {ask}
      proxy_pass http://app; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
    }}
    location = /authz {{
      internal;
      proxy_pass http://doorward/api/authz/auth-request; proxy_pass_request_body off;
      proxy_set_header Content-Length \"\"; proxy_set_header Connection \"\";
      proxy_set_header Host localhost; proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Original-URL http://app.localhost$request_uri;
    }}
  }}
}}
"
    )
}
