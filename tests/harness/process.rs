//! The real binary, in its own data folder. It never outlives its test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::browser::Browser;
use super::client::Client;
use super::folder::Folder;
use super::wait::within;

/// How long a start or a command may take on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// The binary under test.
pub(crate) const DOORWARD: &str = env!("CARGO_BIN_EXE_doorward");

/// A running `doorward serve`. Dropped, it is killed and reaped.
pub(crate) struct Process {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it says it is reached.
    pub(crate) url: String,
    /// The line it printed when it was ready.
    pub(crate) ready: Value,
    child: Child,
    data: Data,
    stdout: Lines,
    stderr: Lines,
}

/// A data folder that no process uses now: start one on it again.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    folder: Arc<Folder>,
    path: PathBuf,
}

/// Everything a process has written to one stream so far.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Data {
    /// A place for a data folder that is not there yet, as before a first start.
    pub(crate) fn fresh() -> Self {
        let folder = Folder::fresh();
        let path = folder.join("data");
        Self { folder: Arc::new(folder), path }
    }

    /// A data folder somewhere below one that is beside this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        Self { folder: Arc::clone(&self.folder), path: self.folder.join(name).join("data") }
    }

    /// The data folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder beside it, for configuration files and the like.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("doorward.db")
    }

    /// Starts a server on this data and waits until it is ready.
    pub(crate) async fn start(&self, args: &[&str]) -> Process {
        self.start_at("127.0.0.1:0", args).await
    }

    /// Starts a server that listens on `address`: where it listened before, say.
    pub(crate) async fn start_at(&self, address: &str, args: &[&str]) -> Process {
        self.launch(command(&[DOORWARD]), &[&["--listen", address], args].concat()).await
    }

    /// Starts a server as [`start`](Self::start) does, by way of another program that ends in
    /// `exec "$@"`: `unshare`, say.
    pub(crate) async fn start_through(&self, wrapper: &[&str], args: &[&str]) -> Process {
        let command = command(&[wrapper, &[DOORWARD]].concat());
        self.launch(command, &[&["--listen", "127.0.0.1:0"], args].concat()).await
    }

    async fn launch(&self, mut command: Command, args: &[&str]) -> Process {
        command.args(["serve", "--no-open", "--data"]).arg(&self.path);
        let mut child = command.args(args).spawn().unwrap();
        let (stdout, stderr) = (Lines::default(), Lines::default());
        stdout.collect(child.stdout.take().unwrap());
        stderr.collect(child.stderr.take().unwrap());
        let waiting = async {
            loop {
                let found = stdout.0.lock().unwrap().iter().find_map(|line| read_ready(line));
                if let Some(ready) = found {
                    return ready;
                }
                if let Some(status) = child.try_wait().unwrap() {
                    let text = (stdout.text(), stderr.text());
                    panic!("doorward ended with {status} before it was ready: {text:?}");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let ready = within(START_MAX, "the ready line", waiting).await;
        let address = ready["listen"].as_str().unwrap().parse().unwrap();
        let url = ready["url"].as_str().unwrap().to_owned();
        Process { address, url, ready, child, data: self.clone(), stdout, stderr }
    }

    /// Runs a command on this data to its end: `run("admin link", &[])`.
    pub(crate) async fn run(&self, words: &str, args: &[&str]) -> Output {
        let mut command = command(&[DOORWARD]);
        let child = command.args(words.split(' ')).arg("--data").arg(&self.path).args(args).spawn();
        within(START_MAX, "the end of a command", child.unwrap().wait_with_output()).await.unwrap()
    }
}

/// Runs the binary with these arguments and nothing else, to its end.
pub(crate) async fn run(args: &[&str]) -> Output {
    let child = command(&[DOORWARD]).args(args).spawn().unwrap();
    within(START_MAX, "the end of a command", child.wait_with_output()).await.unwrap()
}

/// A command with nothing of the machine's configuration and no terminal.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DOORWARD_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Process {
    /// Starts a server on fresh data.
    pub(crate) async fn start(args: &[&str]) -> Self {
        Data::fresh().start(args).await
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    /// A client without a cookie.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, self.host())
    }

    /// An empty browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.client(), &self.url)
    }

    fn host(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// How much memory it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let said = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Everything on its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Everything on its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("not reaped yet")
    }

    /// Kills it as a power cut would (SIGKILL), and leaves its data.
    pub(crate) async fn kill(mut self) -> Data {
        self.child.start_kill().unwrap();
        within(START_MAX, "the end of a killed process", self.child.wait()).await.unwrap();
        self.data.clone()
    }

    /// Asks it to stop (SIGTERM).
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        within(START_MAX, "the end of a process", self.child.wait()).await.unwrap()
    }

    /// Stops it as an operator does, and leaves its data.
    pub(crate) async fn stop(mut self) -> Data {
        self.terminate();
        let status = self.wait().await;
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
        self.data.clone()
    }
}

impl Lines {
    /// Collects a stream's lines for as long as it lasts, so that the process never blocks on it.
    fn collect(&self, stream: impl AsyncRead + Send + Unpin + 'static) {
        let kept = Arc::clone(&self.0);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

fn read_ready(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == "server.ready").then_some(value)
}
