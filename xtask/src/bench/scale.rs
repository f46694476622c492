//! `cargo xtask bench --scale`: what very many sessions cost, beside few.
//!
//! The crowd is opened by the store's own acts ([`crowd`](../../../bench/src/bin/crowd.rs)), without
//! passwords. Each figure stands beside the same one with few sessions, taken by turns.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{self, Client};
use super::load::{self, Load, Requests};
use super::report;
use super::server::{self, Pinned, Server};
use super::{Folder, START_COUNT, median};
use crate::step::{self, Failure, Outcome};

/// How many sessions, and for how long.
pub(crate) struct Scale {
    many: u64,
    dead: u64,
    seconds: u32,
    rounds: usize,
}

/// What the documentation's figures come from.
pub(crate) const MILLION: Scale = Scale { many: 1_000_000, dead: 300_000, seconds: 10, rounds: 5 };

/// Enough to see whether something broke.
pub(crate) const QUICK: Scale = Scale { many: 50_000, dead: 10_000, seconds: 2, rounds: 3 };

const FEW: u64 = 1000;
/// As many sessions in one account are listed.
const PAGE_COUNT: usize = 300;
/// As few as the server's sweep takes at once.
const SLICE: &str = "25";
const PATH: &str = "/api/v1/session";
/// Memory for the table of live sessions: by default about a third of a million fit.
const SOME_MEMORY: &str = "64";
const ALL_MEMORY: &str = "256";

/// Measures, and writes `bench/results/scale.md`.
pub(crate) fn run(scale: &Scale) -> Outcome {
    super::build()?;
    let folder = Folder::new()?;
    let mut table = Table::new(scale)?;
    let few = Crowd::gather(&folder, "few", FEW)?;
    let many = Crowd::gather(&folder, "many", scale.many)?;
    table.row("opened, acts a second", [few.rate.clone(), many.rate.clone()], "");
    measure_room(&few, &many, &mut table)?;
    measure_start(&folder, &many, &mut table)?;
    measure_checks(scale, (&few, &many), SOME_MEMORY, &mut table)?;
    let alone = measure_checks(scale, (&few, &many), ALL_MEMORY, &mut table)?;
    measure_uses(scale, &many, &alone, &mut table)?;
    measure_list(&many, &mut table)?;
    measure_sweep(scale, &many, &alone, &mut table)?;
    let text = table.finish()?;
    super::keep("scale.md", &text)
}

/// Sessions in a store of their own, and the cookies that prove them.
struct Crowd {
    data: PathBuf,
    cookies: Vec<String>,
    requests: PathBuf,
    rate: String,
}

impl Crowd {
    fn gather(folder: &Folder, name: &str, count: u64) -> Outcome<Self> {
        let data = folder.path(name);
        // A first start lays out the folder.
        drop(Server::doorward(&data, Pinned::No)?);
        let requests = data.with_extension("requests");
        let mut crowd = Self { data, cookies: Vec::new(), requests, rate: String::new() };
        let (cookies, said) = crowd.open(count, "fresh")?;
        crowd.cookies = cookies;
        said.trim().trim_end_matches(" acts a second").clone_into(&mut crowd.rate);
        Ok(crowd)
    }

    /// Opens sessions of a kind, and returns their cookies and what was said of it.
    fn open(&self, count: u64, kind: &str) -> Outcome<(Vec<String>, String)> {
        eprintln!("opening {count} sessions");
        let file = self.data.with_extension("cookies");
        let said = self.crowd("open", &[&count.to_string(), kind, &file.to_string_lossy()])?;
        let lines = fs::read_to_string(&file).map_err(Failure::while_doing("the cookies"))?;
        Ok((lines.lines().map(str::to_owned).collect(), said))
    }

    fn crowd(&self, verb: &str, more: &[&str]) -> Outcome<String> {
        let (program, database) = (server::built("crowd"), self.data.join("doorward.db"));
        let words = [&program.to_string_lossy(), verb, &database.to_string_lossy()];
        step::read(&mut step::command(&[&words[..], more].concat()))
    }

    fn serve(&self, pinned: Pinned, memory: &str) -> Outcome<Server> {
        Server::doorward_with(&self.data, pinned, &[("DOORWARD_SESSION__MEMORY_MIB", memory)])
    }

    fn requests(&self, cookies: &[String]) -> Requests {
        Requests::get(PATH, cookies, &self.requests)
    }

    /// Bytes by table and index, and how many sessions there are.
    fn pages(&self) -> Outcome<Vec<(String, u64)>> {
        let said = self.crowd("pages", &[])?;
        Ok(said.lines().filter_map(|line| pair(line, "=")).collect())
    }
}

/// A name and a number.
fn pair(text: &str, between: &str) -> Option<(String, u64)> {
    let (name, number) = text.split_once(between)?;
    Some((name.to_owned(), number.parse().ok()?))
}

/// The number that a line gives a name.
fn figure(said: &str, name: &str) -> Outcome<u64> {
    let mut pairs = said.split_ascii_whitespace().filter_map(|word| pair(word, "="));
    let found = pairs.find(|(found, _)| found == name).map(|(_, number)| number);
    found.ok_or_else(|| Failure::new(format!("nothing was said of {name}: {said}")))
}

fn measure_room(few: &Crowd, many: &Crowd, table: &mut Table) -> Outcome {
    let each = |crowd: &Crowd, of: fn(&str) -> bool| -> Outcome<String> {
        let pages = crowd.pages()?;
        let (_, count) = pages.first().ok_or_else(|| Failure::new("no pages"))?;
        let bytes: u64 = pages[1..].iter().filter(|(name, _)| of(name)).map(|(_, it)| it).sum();
        Ok(format!("{} B", bytes / count))
    };
    let of_session = |name: &str| name.starts_with("session") || name.contains("user_agent");
    let of_event = |name: &str| name.contains("event");
    let row = |of| Outcome::Ok([each(few, of)?, each(many, of)?]);
    table.row("on disk, a session", row(of_session)?, "");
    table.row("on disk beside it, for 90 days: the event of its login", row(of_event)?, "");
    Ok(())
}

fn measure_start(folder: &Folder, many: &Crowd, table: &mut Table) -> Outcome {
    eprintln!("starting");
    let (mut empty, mut full, mut kib) = (Vec::new(), Vec::new(), [0; 2]);
    for turn in 0..START_COUNT {
        let nobody = Server::doorward(&folder.path(&format!("nobody-{turn}")), Pinned::No)?;
        empty.push(nobody.ready_after);
        let all = Server::doorward(&many.data, Pinned::No)?;
        full.push(all.ready_after);
        thread::sleep(Duration::from_secs(1));
        kib = [nobody.resident_kib()?, all.resident_kib()?];
    }
    let times = [median(empty), median(full)];
    table.row("start to ready (few: none)", times.map(milliseconds), &ratio(times[1], times[0]));
    table.row("resident a second later (few: none)", kib.map(mebibytes), "");
    Ok(())
}

/// W1 with few sessions and with many, by turns, with so much memory for them. Returns that with many.
fn measure_checks(
    scale: &Scale,
    (few, many): (&Crowd, &Crowd),
    memory: &str,
    table: &mut Table,
) -> Outcome<Load> {
    eprintln!("W1, {memory} MiB");
    let pinned = Pinned::Core0;
    let servers = [few.serve(pinned, memory)?, many.serve(pinned, memory)?];
    let requests = [few.requests(&few.cookies), many.requests(&many.cookies)];
    let mut rounds = Vec::new();
    for round in 0..=scale.rounds {
        let at = |n: usize| load::run(&servers[n], &requests[n], scale.seconds, pinned);
        let loads = [at(0)?, at(1)?];
        // The first warms up.
        if round > 0 {
            rounds.push(loads);
        }
    }
    let of = |n: usize| rounds.iter().map(|loads| loads[n]).collect::<Vec<_>>();
    let loads = [Load::median(&of(0)), Load::median(&of(1))];
    let rates = rounds.iter().map(|[few, many]| many.rate / few.rate).collect();
    let rate = loads.map(|load| format!("{:.0}/s", load.rate));
    let id = format!("W1, {memory} MiB");
    table.row(&format!("{id}, drawn at random"), rate, &format!("{:.2}", median::<f64>(rates)));
    let costs = loads.map(|load| load.processor);
    table.row(
        &format!("{id}, processor time an answer"),
        costs.map(micros),
        &ratio(costs[1], costs[0]),
    );
    let late = loads.map(|load| load.p99);
    table.row(&format!("{id}, p99"), late.map(milliseconds), &ratio(late[1], late[0]));
    let cores = loads.map(|load| format!("{:.2}", load.core_count()));
    table.row(&format!("{id}, cores it got"), cores, "");
    let kib = [servers[0].resident_kib()?, servers[1].resident_kib()?];
    table.row(&format!("resident after {id}"), kib.map(mebibytes), "");
    Ok(loads[1])
}

/// W1 where each check also writes that the session was seen.
fn measure_uses(scale: &Scale, many: &Crowd, alone: &Load, table: &mut Table) -> Outcome {
    let (cookies, _) = many.open(scale.many / 5, "unseen")?;
    let doorward = many.serve(Pinned::Core0, ALL_MEMORY)?;
    load::run(&doorward, &many.requests(&many.cookies), scale.seconds, Pinned::Core0)?;
    let load = load::run(&doorward, &many.requests(&cookies), scale.seconds, Pinned::Core0)?;
    let loads = [*alone, load];
    let rate = loads.map(|load| format!("{:.0}/s", load.rate));
    let by = format!("{:.2}", load.rate / alone.rate);
    table.row("W1 where the first check of each writes its use (few: none writes)", rate, &by);
    let late = loads.map(|load| load.p99);
    table.row("p99 of that", late.map(milliseconds), &ratio(late[1], late[0]));
    Ok(())
}

/// A page of the list of sessions: of an account with ten sessions, and of one with thousands.
fn measure_list(many: &Crowd, table: &mut Table) -> Outcome {
    eprintln!("the list of sessions");
    let doorward = many.serve(Pinned::Core0, ALL_MEMORY)?;
    let mut client = Client::connect(&doorward.address)?;
    // The first cookie is the large account's, and the third is not.
    let cookies = [&many.cookies[2], &many.cookies[0]];
    let mut times = [Vec::new(), Vec::new()];
    let mut lengths = [0; 2];
    for _ in 0..PAGE_COUNT {
        for (n, cookie) in cookies.into_iter().enumerate() {
            let asked = Instant::now();
            let answer = client.send(client::get("/api/v1/sessions", cookie).as_bytes())?;
            times[n].push(asked.elapsed());
            lengths[n] = answer.body["data"].as_array().map_or(0, Vec::len);
        }
    }
    let times = times.map(median);
    let each = [0, 1].map(|n| format!("{} with {} on it", micros(times[n]), lengths[n]));
    table.row("a page of sessions (few: ten in the account; many: ten thousand)", each, "");
    Ok(())
}

/// W1 while the server sweeps, and what one slice costs those who write beside it.
fn measure_sweep(scale: &Scale, many: &Crowd, alone: &Load, table: &mut Table) -> Outcome {
    many.open(scale.dead, "dead")?;
    let before = many.pages()?[0].1;
    eprintln!("W1 beside a sweep");
    let load = {
        // It sweeps from its first moment on.
        let doorward = many.serve(Pinned::Core0, ALL_MEMORY)?;
        load::run(&doorward, &many.requests(&many.cookies), scale.seconds, Pinned::Core0)?
    };
    let swept = before.saturating_sub(many.pages()?[0].1);
    let loads = [*alone, load];
    let rate = loads.map(|load| format!("{:.0}/s", load.rate));
    table.row("W1 beside a sweep (few: no sweep)", rate, &format!("{:.2}", load.rate / alone.rate));
    let late = loads.map(|load| load.p99);
    table.row("p99 of that", late.map(milliseconds), &ratio(late[1], late[0]));
    table.row("swept meanwhile", [String::new(), swept.to_string()], "");
    let said = many.crowd("sweep", &[SLICE])?;
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    for (what, line) in
        [("a slice of the sweep", line("slice ")), ("a small write beside it", line("beside "))]
    {
        let [p50, p99] = [figure(line, "p50_us")?, figure(line, "p99_us")?];
        let cells = [String::new(), format!("{p50} µs; p99 {p99} µs")];
        table.row(&format!("{what}, {SLICE} sessions at once"), cells, "");
    }
    let filled = Duration::from_millis(figure(&said, "filled_ms")?);
    table.row("all sessions in memory after", [String::new(), milliseconds(filled)], "");
    let rate = figure(&said, "a_second")?;
    table.row("swept a second, without a rest", [String::new(), rate.to_string()], "");
    let ends = ["100", "10000"].map(|count| many.crowd("end", &[count]));
    let [few, many] = ends;
    let took = [figure(&few?, "took_us")?, figure(&many?, "took_us")?];
    let cells = took.map(|took| milliseconds(Duration::from_micros(took)));
    table.row("ending all sessions of an account (few: 100; many: 10 000)", cells, "");
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 KiB")]
fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

fn ratio(of: Duration, by: Duration) -> String {
    format!("{:.2}", of.as_secs_f64() / by.as_secs_f64())
}

/// Few beside many.
struct Table {
    head: String,
    rows: String,
}

impl Table {
    fn new(scale: &Scale) -> Outcome<Self> {
        let Scale { many, seconds, rounds, .. } = scale;
        let machine = report::machine()?;
        let head = format!(
            "Measured by `cargo xtask bench --scale` on {machine}. W1 is the median of {rounds} \
             rounds of {seconds} s, by turns; the server on core 0, `wrk -t1 -c64` on core 1. Load \
             average before: {}",
            report::load_average()?
        );
        let rows = format!("| what | few: {FEW} | many: {many} | ratio |\n|---|--:|--:|--:|\n");
        Ok(Self { head, rows })
    }

    fn row(&mut self, what: &str, [few, many]: [String; 2], ratio: &str) {
        let row = format!("| {what} | {few} | {many} | {ratio} |\n");
        eprint!("  {row}");
        self.rows += &row;
    }

    fn finish(self) -> Outcome<String> {
        let Self { head, rows } = self;
        Ok(format!("{head}; after: {}.\n\n{rows}", report::load_average()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name() {
        let said = "forgotten=300 slices=12 a_second=99\n";
        assert_eq!(figure(said, "slices").unwrap(), 12);
        assert!(figure(said, "second").is_err());
    }
}
