//! A load: `wrk`, sending ready-made requests from 64 connections, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client;
use super::median;
use super::people::{self, Carrier};
use super::server::{Pinned, Server};
use crate::step::{self, Failure, Outcome};

/// Requests of one kind, one of which is drawn at random each time.
pub(super) struct Requests {
    all: Vec<String>,
    file: PathBuf,
}

impl Requests {
    /// The same path, with each of these header fields.
    pub(super) fn get(path: &str, fields: &[String], file: &Path) -> Self {
        let all = fields.iter().map(|field| client::get(path, field)).collect();
        Self { all, file: file.to_owned() }
    }

    /// These requests, as they are.
    pub(super) fn whole(all: Vec<String>, file: &Path) -> Self {
        Self { all, file: file.to_owned() }
    }

    /// A login for each account.
    pub(super) fn logins(carrier: Carrier, account_count: usize, file: &Path) -> Self {
        let all = (0..account_count).map(|number| people::login(carrier, number)).collect();
        Self { all, file: file.to_owned() }
    }
}

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Answers in all.
    pub(super) answer_count: usize,
    /// Answers a second.
    pub(super) rate: f64,
    /// The time that all but one in a hundred answers came within.
    pub(super) p99: Duration,
    /// The server's processor time for one answer; nothing if that was not asked for.
    pub(super) processor: Duration,
}

impl Load {
    /// How many cores the server got. Pinned to one and loaded, it got less only if others ran
    /// there too, or if the load was too little.
    pub(super) fn core_count(&self) -> f64 {
        self.rate * self.processor.as_secs_f64()
    }

    /// The same load, which took so much of the server's processor time in all.
    fn costing(self, spent: Duration) -> Self {
        let answers = u32::try_from(self.answer_count).unwrap_or(u32::MAX);
        Self { processor: spent / answers, ..self }
    }

    /// The median of each figure.
    pub(super) fn median(loads: &[Self]) -> Self {
        Self {
            answer_count: median(loads.iter().map(|load| load.answer_count).collect()),
            rate: median(loads.iter().map(|load| load.rate).collect()),
            p99: median(loads.iter().map(|load| load.p99).collect()),
            processor: median(loads.iter().map(|load| load.processor).collect()),
        }
    }
}

/// What the same load came to on both servers, by turns.
pub(super) struct Pair {
    pub(super) bare: Load,
    pub(super) doorward: Load,
    /// Doorward's rate by the bare server's in the same round: what slowed one slowed the other.
    pub(super) ratio: f64,
}

impl Pair {
    /// The median of each figure, from rounds of the bare server and Doorward.
    pub(super) fn median(rounds: &[(Load, Load)]) -> Self {
        let (bare, doorward): (Vec<_>, Vec<_>) = rounds.iter().copied().unzip();
        Self {
            bare: Load::median(&bare),
            doorward: Load::median(&doorward),
            ratio: median(rounds.iter().map(|(bare, ours)| ours.rate / bare.rate).collect()),
        }
    }
}

/// Loads a server for so many seconds. An answer that is not a success makes it worthless.
pub(super) fn run(
    server: &Server,
    requests: &Requests,
    seconds: u32,
    pinned: Pinned,
) -> Outcome<Load> {
    let before = server.processor_time()?;
    let load = run_at(&server.address, requests, seconds, pinned)?;
    Ok(load.costing(server.processor_time()?.saturating_sub(before)))
}

/// The same of whatever listens there, without its processor time.
pub(super) fn run_at(
    address: &str,
    requests: &Requests,
    seconds: u32,
    pinned: Pinned,
) -> Outcome<Load> {
    let text: String = requests.all.iter().flat_map(|request| [request, "\0"]).collect();
    fs::write(&requests.file, text).map_err(Failure::while_doing("the requests' file"))?;
    let url = format!("http://{address}");
    let file = requests.file.to_string_lossy();
    let length = format!("-d{seconds}s");
    let core = match pinned {
        Pinned::Core0 => ["taskset", "-c", "1"].as_slice(),
        Pinned::No => &[],
    };
    let wrk = ["wrk", "-t1", "-c64", &length, "--timeout", "10s", "-s", "bench/replay.lua", &url];
    let said = step::read(&mut step::command(&[core, &wrk, &["--", &file]].concat()))?;
    let load = parse(&said)?;
    eprintln!("  {url} {:>8.0}/s  p99 {:?}", load.rate, load.p99);
    Ok(load)
}

/// Reads the line that `bench/replay.lua` prints.
fn parse(said: &str) -> Outcome<Load> {
    let Some(result) = said.lines().find_map(|line| line.strip_prefix("result ")) else {
        return Err(Failure::new(format!("wrk did not say what came of it\n{said}")));
    };
    let figure = |name: &str| -> Outcome<u32> {
        result
            .split(' ')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
            .ok_or_else(|| Failure::new(format!("wrk said nothing of {name}: {result}")))
    };
    if figure("refused")? + figure("broken")? > 0 || figure("requests")? == 0 {
        return Err(Failure::new(format!("not all was answered with success: {result}")));
    }
    let count = figure("requests")?;
    Ok(Load {
        answer_count: count as usize,
        rate: f64::from(count) * 1e6 / f64::from(figure("microseconds")?),
        p99: Duration::from_micros(figure("p99")?.into()),
        processor: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPENT: Duration = Duration::from_secs(1);

    #[test]
    fn a_load_is_what_wrk_says_it_was() {
        let said = "Running 2s test\nresult requests=100000 microseconds=2000000 p50=900 p99=1500 \
                    refused=0 broken=0\n";
        let load = parse(said).unwrap().costing(SPENT);
        assert!((load.rate - 50_000.0).abs() < 0.1);
        assert_eq!(load.p99, Duration::from_micros(1500));
        assert_eq!(load.processor, Duration::from_micros(10));
    }

    #[test]
    fn a_load_with_a_refusal_in_it_counts_for_nothing() {
        for what in ["refused=1 broken=0", "refused=0 broken=1", "refused=0"] {
            let said = format!("result requests=9 microseconds=9 p50=1 p99=1 {what}\n");
            assert!(parse(&said).is_err(), "{what}");
        }
    }
}
