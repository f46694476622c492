//! What was measured, as a table for the README, with what it was measured on.

use std::fs;
use std::time::Duration;

use super::Effort;
use super::load::{Load, Pair};
use super::people::Carrier;
use super::server::Pinned;
use crate::step::{self, Failure, Outcome};

/// A table in the making.
pub(super) struct Report {
    head: String,
    rows: Vec<String>,
    core_count_min: f64,
}

/// A server that is loaded and has a core to itself gets nearly all of it.
const OWN_CORE: f64 = 0.9;

impl Report {
    pub(super) fn new(effort: &Effort) -> Outcome<Self> {
        let machine = machine()?;
        let Effort { seconds, rounds, session_count } = effort;
        let head = format!(
            "Measured by `cargo xtask bench` on {machine}. Each figure is the \
             median of {rounds} rounds of {seconds} s, by turns with the bare server (axum's hello \
             in the same process shape, sent the same bytes); the server on core 0, `wrk -t1 -c64` \
             on core 1. {session_count} sessions, each opened by a login and drawn at random. Load \
             average before: {}",
            load_average()?
        );
        Ok(Self { head, rows: Vec::new(), core_count_min: f64::INFINITY })
    }

    pub(super) fn size(&mut self, bytes: u64) {
        #[expect(clippy::cast_precision_loss, reason = "no binary has 2^53 bytes")]
        let size = format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        self.row(["size", "release binary", "", &size, ""]);
    }

    pub(super) fn memory(&mut self, bare_kib: u64, doorward_kib: u64) {
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 KiB")]
        let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        self.row(["memory", "at rest, resident", &mib(bare_kib), &mib(doorward_kib), ""]);
    }

    pub(super) fn start(&mut self, what: &str, ready_after: Duration) {
        let time = format!("{:.0} ms", ready_after.as_secs_f64() * 1e3);
        self.row(["start", what, "", &time, ""]);
    }

    /// A check, against the bare server: how many, how late, and at what cost.
    pub(super) fn check(&mut self, id: &str, what: &str, pinned: Pinned, pair: &Pair) {
        match pinned {
            Pinned::Core0 => self.rate(id, what, pair),
            Pinned::No => self.rate(&format!("{id}, not pinned"), what, pair),
        }
        self.cost("an answer", pinned, pair);
        self.late(pair);
    }

    /// nginx that asks Doorward about each request, against nginx that asks nobody.
    pub(super) fn chain(&mut self, pair: &Pair) {
        self.rate(
            "",
            "a page by nginx, which asks Doorward; bare: nginx alone; all on core 0",
            pair,
        );
        self.late(pair);
    }

    /// A guard's check, against the signature alone. All in nanoseconds.
    pub(super) fn guard(&mut self, seen: f64, first: f64, signature: f64) {
        let time = |nanoseconds: f64| format!("{:.2} µs", nanoseconds / 1e3);
        let ratio = |of: f64| format!("{:.2}", of / signature);
        let what = "`Guard::check`, a token seen for the first time; bare: Ed25519 alone";
        self.row(["guard", what, &time(signature), &time(first), &ratio(first)]);
        let what = "`Guard::check`, a token seen before";
        self.row(["", what, &time(signature), &time(seen), &ratio(seen)]);
    }

    /// Refresh tokens that turn, against nothing: a bare server keeps nothing.
    pub(super) fn turns(&mut self, load: &Load) {
        let what = "POST /api/v1/refresh, durable, 64 clients, the load not pinned";
        self.row(["W4", what, "", &format!("{:.0}/s", load.rate), ""]);
        let cost = format!("{:.1} µs", load.processor.as_secs_f64() * 1e6);
        self.row(["", "processor time a turn", "", &cost, ""]);
        let late = format!("{:.2} ms", load.p99.as_secs_f64() * 1e3);
        self.row(["", "p99", "", &late, ""]);
    }

    /// Logins, against Argon2 alone.
    pub(super) fn logins(&mut self, carrier: Carrier, pair: &Pair) {
        let what = format!("POST /api/v1/login, {}; bare: Argon2id alone", carrier.word());
        let rate = |load: &Load| format!("{:.1}/s", load.rate);
        let ratio = format!("{:.2}", pair.ratio);
        self.row(["W3", &what, &rate(&pair.bare), &rate(&pair.doorward), &ratio]);
        self.cost("a login", Pinned::Core0, pair);
    }

    fn rate(&mut self, id: &str, what: &str, pair: &Pair) {
        let rate = |load: &Load| format!("{:.0}/s", load.rate);
        let ratio = format!("{:.2}", pair.ratio);
        self.row([id, what, &rate(&pair.bare), &rate(&pair.doorward), &ratio]);
    }

    fn late(&mut self, Pair { bare, doorward, .. }: &Pair) {
        let late = |load: &Load| format!("{:.2} ms", load.p99.as_secs_f64() * 1e3);
        let later = doorward.p99.as_secs_f64() / bare.p99.as_secs_f64();
        self.row(["", "p99", &late(bare), &late(doorward), &format!("{later:.2}")]);
    }

    /// What one answer costs the server itself, and whether it got the core it was promised.
    fn cost(&mut self, of: &str, pinned: Pinned, Pair { bare, doorward, .. }: &Pair) {
        let cost = |load: &Load| format!("{:.1} µs", load.processor.as_secs_f64() * 1e6);
        let costlier = doorward.processor.as_secs_f64() / bare.processor.as_secs_f64();
        let what = format!("processor time {of}");
        self.row(["", &what, &cost(bare), &cost(doorward), &format!("{costlier:.2}")]);
        let cores = |load: &Load| format!("{:.2}", load.core_count());
        self.row(["", "cores it got", &cores(bare), &cores(doorward), ""]);
        if pinned == Pinned::Core0 {
            let least = bare.core_count().min(doorward.core_count());
            self.core_count_min = self.core_count_min.min(least);
        }
    }

    fn row(&mut self, cells: [&str; 5]) {
        self.rows.push(format!("| {} |", cells.join(" | ")));
    }

    /// The whole, as Markdown.
    pub(super) fn finish(self) -> Outcome<String> {
        let Self { head, rows, core_count_min } = self;
        let columns = "| workload | what | bare | Doorward | ratio |\n|---|---|--:|--:|--:|";
        let mut text =
            format!("{head}; after: {}.\n\n{columns}\n{}\n", load_average()?, rows.join("\n"));
        if core_count_min < OWN_CORE {
            text.push_str(
                "\n**Others were at work on these cores**: processor time tells what an answer \
                 costs, rates and p99 tell little. Run it again when the machine is quiet.\n",
            );
        }
        Ok(text)
    }
}

/// The processor, how many cores it has, and the compiler.
pub(super) fn machine() -> Outcome<String> {
    let cpu = read("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unnamed processor", |(_, model)| model);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let rustc = step::read(&mut step::command(&["rustc", "--version"]))?;
    Ok(format!("{model}, {cores} cores, {}", rustc.trim()))
}

/// How many processes wanted a core in the last minute: with others at work, repeat the run.
pub(super) fn load_average() -> Outcome<String> {
    let load = read("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(path).map_err(Failure::while_doing(path))
}
