//! `cargo xtask bench`: what Doorward costs, as ratios inside one run.
//!
//! Absolute figures of a shared machine mean little. So each measurement is taken several times, by
//! turns with the same load on a bare server (see `bench/`), and medians are compared: what slows
//! one slows the other. The server has core 0 for itself, the load has core 1. Everything stays on
//! this machine, ends after a fixed time, and every process is ended by its own id.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::packages;
use crate::step::{self, Failure, Outcome};

mod client;
mod load;
mod people;
mod proxy;
mod report;
pub(crate) mod scale;
mod server;
mod turns;

use load::{Load, Pair, Requests};
use people::Carrier;
use proxy::Nginx;
use report::Report;
use server::{Pinned, Server};

/// How much is measured.
pub(crate) struct Effort {
    seconds: u32,
    rounds: usize,
    session_count: usize,
}

/// What the README's figures come from.
pub(crate) const FULL: Effort = Effort { seconds: 10, rounds: 3, session_count: 1000 };

/// Enough to see whether something broke, in a minute or two.
pub(crate) const QUICK: Effort = Effort { seconds: 2, rounds: 3, session_count: 200 };

const START_COUNT: usize = 5;
const ACCOUNT_COUNT: usize = 50;
const TOKEN_COUNT: usize = 64;

/// Builds, measures, and writes `bench/results/latest.md`.
pub(crate) fn run(effort: &Effort) -> Outcome {
    build()?;
    let folder = Folder::new()?;
    let mut report = Report::new(effort)?;
    measure_rest(&folder, &mut report)?;
    let cookies = measure_checks(effort, &folder, &mut report)?;
    measure_forward(effort, &folder, &cookies, &mut report)?;
    measure_guard(&mut report)?;
    measure_turns(effort, &folder, &mut report)?;
    let opened = measure_logins(effort, &folder, &mut report)?;
    let tokens = TOKEN_COUNT * (1 + effort.rounds);
    measure_full_start(effort.session_count + tokens + opened, &folder, &mut report)?;
    keep("latest.md", &report.finish()?)
}

/// Builds what is measured, on a machine that can measure it.
fn build() -> Outcome {
    packages::ensure(&packages::LOAD)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err(Failure::new("the server and the load need a core each, and here is only one"));
    }
    let build = "cargo build --release -p doorward -p bench";
    step::run(&mut step::command(&build.split(' ').collect::<Vec<_>>()))
}

/// Keeps what was found out, and prints it.
fn keep(name: &str, text: &str) -> Outcome {
    let results = step::root().join("bench/results");
    fs::create_dir_all(&results)
        .and_then(|()| fs::write(results.join(name), text))
        .map_err(Failure::while_doing(format!("bench/results/{name}")))?;
    println!("{text}");
    Ok(())
}

/// The server at rest: size, memory, and the way to its first answer on an empty store.
fn measure_rest(folder: &Folder, report: &mut Report) -> Outcome {
    eprintln!("at rest");
    let size = fs::metadata(server::built("doorward"))
        .map_err(Failure::while_doing("the built binary"))?
        .len();
    report.size(size);
    let mut starts = Vec::new();
    for turn in 0..START_COUNT {
        let data = folder.path(&format!("empty-{turn}"));
        starts.push(Server::doorward(&data, Pinned::No)?.ready_after);
    }
    report.start("to the first answer, empty store", median(starts));
    let bare = Server::bare(Pinned::No)?;
    let doorward = Server::doorward(&folder.path("rest"), Pinned::No)?;
    thread::sleep(Duration::from_secs(1));
    report.memory(bare.resident_kib()?, doorward.resident_kib()?);
    Ok(())
}

/// W1 and W2: who is this? Returns the cookies of the sessions that were opened for it.
fn measure_checks(effort: &Effort, folder: &Folder, report: &mut Report) -> Outcome<Vec<String>> {
    let data = folder.path("hot");
    let requests = folder.path("requests");
    // Sessions are opened by an unpinned server: passwords take all cores there are.
    eprintln!("opening {} sessions", effort.session_count);
    let cookies = {
        let doorward = Server::doorward(&data, Pinned::No)?;
        people::register(&doorward.address, ACCOUNT_COUNT)?;
        people::sign_in(&doorward.address, Carrier::Cookie, ACCOUNT_COUNT, effort.session_count)?
    };
    for pinned in [Pinned::Core0, Pinned::No] {
        let bare = Server::bare(pinned)?;
        let doorward = Server::doorward(&data, pinned)?;
        let with_cookies = Requests::get("/api/v1/session", &cookies, &requests);
        let pair = servers_by_turns(effort, [&bare, &doorward], &with_cookies, pinned)?;
        report.check("W1", "GET /api/v1/session, cookie", pinned, &pair);
    }
    let bare = Server::bare(Pinned::Core0)?;
    let doorward = Server::doorward(&data, Pinned::Core0)?;
    // Drawn only now: they live for five minutes.
    let tokens = people::sign_in(&doorward.address, Carrier::Token, ACCOUNT_COUNT, TOKEN_COUNT)?;
    let with_tokens = Requests::get("/api/v1/session", &tokens, &requests);
    let pair = servers_by_turns(effort, [&bare, &doorward], &with_tokens, Pinned::Core0)?;
    report.check("W2", "GET /api/v1/session, EdDSA token seen before", Pinned::Core0, &pair);
    let fields = people::client(&data, &doorward.address)?;
    let forms: Vec<_> = tokens.iter().map(|field| people::introspection(&fields, field)).collect();
    let asked = Requests::whole(forms, &requests);
    let pair = servers_by_turns(effort, [&bare, &doorward], &asked, Pinned::Core0)?;
    report.check("W7", "POST /oauth/introspect, EdDSA token", Pinned::Core0, &pair);
    Ok(cookies)
}

/// W1 for proxies: may this go on? Asked directly, and by nginx before an app.
fn measure_forward(
    effort: &Effort,
    folder: &Folder,
    cookies: &[String],
    report: &mut Report,
) -> Outcome {
    let requests = folder.path("requests");
    let bare = Server::bare(Pinned::Core0)?;
    let doorward = Server::doorward(&folder.path("hot"), Pinned::Core0)?;
    let about = |cookie: &String| {
        format!(
            "{cookie}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: app.localhost\r\nX-Forwarded-Uri: /notes?day=3"
        )
    };
    let fields: Vec<_> = cookies.iter().map(about).collect();
    let asked = Requests::get("/api/authz/forward-auth", &fields, &requests);
    let pair = servers_by_turns(effort, [&bare, &doorward], &asked, Pinned::Core0)?;
    report.check("W1", "GET /api/authz/forward-auth, cookie", Pinned::Core0, &pair);

    let alone = Nginx::start(&folder.path("nginx-alone"), &bare, None)?;
    let asking = Nginx::start(&folder.path("nginx-asking"), &bare, Some(&doorward))?;
    let page = Requests::get("/page", cookies, &requests);
    let pair = by_turns(effort, [&alone, &asking], |nginx, seconds| {
        load::run_at(&nginx.address, &page, seconds, Pinned::Core0)
    })?;
    report.chain(&pair);
    Ok(())
}

/// What a guard's check costs in the process of an app.
fn measure_guard(report: &mut Report) -> Outcome {
    eprintln!("the guard");
    let program = server::built("guard");
    let words = ["taskset", "-c", "0", &program.to_string_lossy()];
    let said = step::read(&mut step::command(&words))?;
    let figures: Vec<f64> = said.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    let [seen, first, signature] = figures[..] else {
        return Err(Failure::new(format!("guard printed {said:?}")));
    };
    report.guard(seen, first, signature);
    Ok(())
}

/// W4: refresh tokens that turn, durably.
fn measure_turns(effort: &Effort, folder: &Folder, report: &mut Report) -> Outcome {
    let doorward = Server::doorward(&folder.path("hot"), Pinned::Core0)?;
    let mut loads = Vec::new();
    for _ in 0..effort.rounds {
        let tokens = people::refresh_tokens(&doorward.address, ACCOUNT_COUNT, TOKEN_COUNT)?;
        loads.push(turns::run(&doorward, tokens, effort.seconds)?);
    }
    report.turns(&Load::median(&loads));
    Ok(())
}

/// W3: password logins, against what one thread can hash when it does nothing else. Returns how
/// many sessions that opened at the least: whoever left before the answer has one too.
fn measure_logins(effort: &Effort, folder: &Folder, report: &mut Report) -> Outcome<usize> {
    let doorward = Server::doorward(&folder.path("hot"), Pinned::Core0)?;
    let mut opened = 0;
    for carrier in [Carrier::Cookie, Carrier::Token] {
        eprintln!("W3, {}", carrier.word());
        let logins = Requests::logins(carrier, ACCOUNT_COUNT, &folder.path("requests"));
        let load = |seconds| {
            let load = load::run(&doorward, &logins, seconds, Pinned::Core0)?;
            // What it leaves in the queue of hashes would slow Argon2 alone, and fill the queue for the next.
            doorward.settle()?;
            Ok::<_, Failure>(load)
        };
        opened += load(1)?.answer_count;
        let mut rounds = Vec::new();
        for _ in 0..effort.rounds {
            let pair = (hash_rate(effort.seconds)?, load(effort.seconds)?);
            opened += pair.1.answer_count;
            rounds.push(pair);
        }
        report.logins(carrier, &Pair::median(&rounds));
    }
    Ok(opened)
}

/// The way to the first answer with everything in the store that was put there before.
fn measure_full_start(session_count: usize, folder: &Folder, report: &mut Report) -> Outcome {
    let mut starts = Vec::new();
    for _ in 0..START_COUNT {
        starts.push(Server::doorward(&folder.path("hot"), Pinned::No)?.ready_after);
    }
    report.start(
        &format!("to the first answer, {session_count} sessions stored or more"),
        median(starts),
    );
    Ok(())
}

/// The same load on the bare server and on Doorward, by turns.
fn servers_by_turns(
    effort: &Effort,
    servers: [&Server; 2],
    requests: &Requests,
    pinned: Pinned,
) -> Outcome<Pair> {
    by_turns(effort, servers, |server, seconds| load::run(server, requests, seconds, pinned))
}

/// A load of so many seconds on both, by turns, after a second to warm up.
fn by_turns<T>(
    effort: &Effort,
    [bare, doorward]: [&T; 2],
    load: impl Fn(&T, u32) -> Outcome<Load>,
) -> Outcome<Pair> {
    load(bare, 1)?;
    load(doorward, 1)?;
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push((load(bare, effort.seconds)?, load(doorward, effort.seconds)?));
    }
    Ok(Pair::median(&rounds))
}

/// Argon2 alone, on one thread: as a load whose every answer is a hash.
fn hash_rate(seconds: u32) -> Outcome<Load> {
    let program = server::built("hash-rate");
    let words = ["taskset", "-c", "0", &program.to_string_lossy(), &seconds.to_string()];
    let said = step::read(&mut step::command(&words))?;
    let figures = said.trim().split_once(' ').and_then(|(rate, micros)| {
        Some((rate.parse().ok()?, Duration::from_micros(micros.parse().ok()?)))
    });
    let (rate, processor) =
        figures.ok_or_else(|| Failure::new(format!("hash-rate printed {said:?}")))?;
    Ok(Load { answer_count: 0, rate, p99: Duration::ZERO, processor })
}

/// The middle one, and the upper of two.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("a measurement is a number"));
    values[values.len() / 2]
}

/// A folder for this run alone, on the disk that the project is on: a store in memory would make
/// every commit look free. It goes when the run ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let path = step::root().join(format!("target/bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(Failure::while_doing("a folder under target/"))?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} is left behind: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_measurement_does_not_move_the_median() {
        assert_eq!(median(vec![9000, 10, 11]), 11);
        assert_eq!(median(vec![2, 1]), 2);
    }
}
