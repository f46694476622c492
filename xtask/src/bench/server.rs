//! A server under measurement: started, waited for, asked what it uses, and ended by its id.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::step::{self, Failure, Outcome};

const START_MAX: Duration = Duration::from_secs(20);

/// How long a server may go on working after a load has ended.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// Linux counts a process's time in hundredths of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// Which cores a server and its load may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    /// The server core 0, the load core 1.
    Core0,
    /// All there are.
    No,
}

/// A server that answers. It ends when this is dropped.
pub(super) struct Server {
    process: Child,
    /// `127.0.0.1:PORT`.
    pub(super) address: String,
    /// From its start to the line that says it answers.
    pub(super) ready_after: Duration,
}

impl Pinned {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Core0 => step::command(&["taskset", "-c", "0", &program.to_string_lossy()]),
            Self::No => Command::new(program),
        }
    }
}

impl Server {
    /// Starts axum's hello.
    pub(super) fn bare(pinned: Pinned) -> Outcome<Self> {
        Self::start(pinned.command(&built("bare")), None)
    }

    /// Starts Doorward on the store in `data`, or on an empty one if there is none.
    pub(super) fn doorward(data: &Path, pinned: Pinned) -> Outcome<Self> {
        Self::doorward_with(data, pinned, &[])
    }

    /// The same, with settings in its environment.
    pub(super) fn doorward_with(
        data: &Path,
        pinned: Pinned,
        settings: &[(&str, &str)],
    ) -> Outcome<Self> {
        let folder = data.to_string_lossy();
        let arguments = [
            "serve",
            "--data",
            &folder,
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "off",
            "--no-open",
        ];
        let mut program = pinned.command(&built("doorward"));
        program.args(arguments).envs(settings.iter().copied());
        Self::start(program, Some(&data.with_extension("log")))
    }

    fn start(mut command: Command, log: Option<&Path>) -> Outcome<Self> {
        let errors = match log {
            Some(path) => File::create(path).map_err(Failure::while_doing("a log"))?.into(),
            None => Stdio::inherit(),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let started = Instant::now();
        let name = format!("{command:?}");
        let mut process = command.spawn().map_err(Failure::while_doing(&name))?;
        let said = process.stdout.take();
        // From here on the process ends with this value, also when it never gets ready.
        let mut server = Self { process, address: String::new(), ready_after: Duration::ZERO };
        let ready = said.map(ready_line).and_then(|line| line.recv_timeout(START_MAX).ok());
        let Some((address, at)) = ready else {
            let said = log.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
            return Err(Failure::new(format!("{name} did not get ready\n{}", said.trim_end())));
        };
        server.ready_after = at - started;
        server.address = address;
        Ok(server)
    }

    /// How much memory it holds now.
    pub(super) fn resident_kib(&self) -> Outcome<u64> {
        let status = self.proc("status")?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
            .ok_or_else(|| Failure::new("this system does not tell what memory a process holds"))
    }

    /// How much processor time it has used so far, in the kernel and out of it.
    pub(super) fn processor_time(&self) -> Outcome<Duration> {
        let stat = self.proc("stat")?;
        // The name, which comes second, may hold anything; it ends with the last parenthesis.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: u32 = after_name
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap_or(0))
            .sum();
        Ok(TICK * ticks)
    }

    /// Waits until it has done what a load that ended left behind.
    pub(super) fn settle(&self) -> Outcome {
        let began = Instant::now();
        let mut before = self.processor_time()?;
        while began.elapsed() < SETTLE_MAX {
            thread::sleep(TICK * 20);
            let now = self.processor_time()?;
            if now <= before + TICK {
                return Ok(());
            }
            before = now;
        }
        Err(Failure::new("the server did not come to rest"))
    }

    fn proc(&self, file: &str) -> Outcome<String> {
        let path = format!("/proc/{}/{file}", self.process.id());
        fs::read_to_string(&path).map_err(Failure::while_doing(path))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only when it has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a program of ours is, once built.
pub(super) fn built(program: &str) -> PathBuf {
    step::root().join("target/release").join(program)
}

/// Waits beside us for the line that says a server answers, then reads on, so that it never blocks.
fn ready_line(said: ChildStdout) -> mpsc::Receiver<(String, Instant)> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(said);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
            if let Some(address) = ready_address(&line) {
                // Nobody waits any more only when the server is being ended.
                let _ = tell.send((address, Instant::now()));
                break;
            }
            line.clear();
        }
        let _ = std::io::copy(&mut lines.by_ref(), &mut std::io::sink());
    });
    told
}

/// The address in `{"event":"server.ready","url":"http://localhost:7117",…}`.
fn ready_address(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line.get("event")?.as_str()? != "server.ready" {
        return None;
    }
    let (_, port) = line.get("url")?.as_str()?.trim_end_matches('/').rsplit_once(':')?;
    port.parse::<u16>().ok().map(|port| format!("127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_line_tells_the_address_and_no_other_line_does() {
        let ready = r#"{"event":"server.ready","url":"http://localhost:40123","ms":12}"#;
        assert_eq!(ready_address(ready), Some("127.0.0.1:40123".to_owned()));
        for other in
            ["ready", "{}", r#"{"event":"setup.link","url":"http://localhost:1/setup#abc"}"#]
        {
            assert_eq!(ready_address(other), None, "{other}");
        }
    }
}
