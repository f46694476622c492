//! One of the examples, as a reader runs it: its own process, its own folder.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::folder::Folder;
use super::process::DOORWARD;
use super::wait::within;

/// A running example. Dropped, it is killed.
pub(crate) struct Example {
    /// The first line that it printed: where it is.
    pub(crate) url: String,
    folder: Folder,
    _child: Child,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Starts it with these arguments and settings. `{folder}` in an argument is a fresh folder.
    pub(crate) async fn start(name: &str, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let program = PathBuf::from(DOORWARD).with_file_name(format!("example-{name}"));
        assert!(program.exists(), "it is not built. Try: cargo build -p example-{name}");
        let folder = Folder::fresh();
        let path = folder.path().to_str().unwrap().to_owned();
        let mut child = Command::new(program)
            .args(arguments.iter().map(|it| it.replace("{folder}", &path)))
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = within(Duration::from_secs(30), "an example that is ready", lines.next_line());
        let url = first.await.unwrap().unwrap().trim_end_matches('/').to_owned();
        Self { url, folder, _child: child, _lines: lines }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// Ports for somebody who binds them later: such as the system hands to nobody by itself.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = std::array::from_fn(|_| {
        let mut drawn = (0_u64..).map(|n| RandomState::new().hash_one(n) % 20_000 + 10_000);
        let free = drawn.find_map(|port| {
            let port = u16::try_from(port).unwrap();
            TcpListener::bind(("127.0.0.1", port)).ok()
        });
        free.unwrap()
    });
    held.map(|listener: TcpListener| listener.local_addr().unwrap().port())
}
