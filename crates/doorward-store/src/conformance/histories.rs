//! Random histories of sessions, held against a model that is written plainly from the rules.
//!
//! ```text
//!   seed ──▶ steps ──▶ requests ──▶ the store ──▶ answers ─┐
//!                          │                               ├──▶ the same, or the shortest history
//!                          └──────▶ the model ──▶ answers ─┘    that shows the difference
//! ```
//!
//! A history opens sessions, uses them, writes their data, gives them new secrets, refreshes, ends
//! one or all, logs in over one, changes passwords, sweeps, crashes; alone, or several at once. Acts
//! that were asked for at once must come out as if one had followed the other, in some order. An act
//! that a crash interrupted has happened whole or not at all.
//!
//! # What always holds
//!
//! - *An ended session is never found again*: not by its id, not by any secret it ever answered to,
//!   retired or not, and not by a refresh token. No check accepts it.
//! - *Its data is gone*, and takes no write.
//! - *Versions only rise*, through removals and logins, and of conditional writes of one version one
//!   counts.
//! - *Counts match*: what an act says it ended is what is gone, and the log has one entry for each.
//! - *What was acknowledged survives*, and nothing else appears.
//!
//! A further backend is one line: [`hold`] with what makes one.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Builder;

use self::model::{Answer, Model};
use self::names::Names;
use self::request::Request;
use self::step::{Known, Step};
use super::sample::Tried;

mod model;
mod names;
mod request;
mod step;
mod told;

/// A backend under trial, and the way back to it after a crash.
pub trait Trial: Send {
    /// The store as it is now.
    fn store(&self) -> Tried;

    /// Loses power, and starts again with what is on the disk: no act that is under way is waited
    /// for. Says whether it did: a backend that keeps nothing beyond the process cannot.
    fn crash(&mut self) -> bool;
}

/// How many histories, and where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of the first. Each one after has the next.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// Histories that are told in one store, each with names of its own.
const IN_ONE_STORE: u64 = 40;

/// Seeds of histories that were told wrong once. They come first.
const ONCE_WRONG: [u64; 0] = [];

/// Holds histories against the model, some side by side.
///
/// # Panics
///
/// At the first history that diverges: with its seed, and the shortest history found that does.
pub fn hold<T: Trial>(make: impl Fn() -> T + Sync, plan: Plan) {
    let next = AtomicU64::new(0);
    let some = || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            loop {
                let begin = next.fetch_add(IN_ONE_STORE, Ordering::Relaxed);
                if begin >= plan.count {
                    return;
                }
                let once = if begin == 0 { ONCE_WRONG.as_slice() } else { &[] };
                let seeds = plan.first + begin..plan.first + plan.count.min(begin + IN_ONE_STORE);
                in_one_store(&make, once.iter().copied().chain(seeds)).await;
            }
        });
    };
    let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..at_once).map(|_| scope.spawn(some)).collect();
        for each in all {
            if let Err(panic) = each.join() {
                // The others stop at their next store.
                next.store(plan.count, Ordering::Relaxed);
                std::panic::resume_unwind(panic);
            }
        }
    });
}

async fn in_one_store<T: Trial>(make: &(impl Fn() -> T + Sync), seeds: impl Iterator<Item = u64>) {
    let mut trial = make();
    for (n, seed) in (0..).zip(seeds) {
        let (steps, names) = (step::draw(seed), Names::new(n, seed));
        if let Err(difference) = tell(&mut trial, &steps, names, Watch::Some).await {
            panic!("{}", shortest(make, seed, steps, difference).await);
        }
    }
}

/// When everything is read and compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// After a crash, after what ends sessions, and at the end.
    Some,
    /// After each step.
    Always,
}

/// Tells a history to a store and to the model, and how they differ if they do.
async fn tell(
    trial: &mut dyn Trial,
    steps: &[Step],
    names: Names,
    watch: Watch,
) -> Result<(), String> {
    let mut telling = Telling::begin(trial, names).await;
    for (n, step) in (1..).zip(steps) {
        let wrong = |difference| format!("step {n}, {step:?}: {difference}");
        telling.step(step, n).await.map_err(wrong)?;
        if watch == Watch::Always || step.is_watched() {
            telling.compare().await.map_err(wrong)?;
        }
    }
    telling.compare().await.map_err(|difference| format!("at the end: {difference}"))?;
    telling.close().await
}

struct Telling<'a> {
    trial: &'a mut dyn Trial,
    names: Names,
    /// How things may be. Of acts that were asked for at once nobody can always tell which came
    /// first: both ways are true until an answer tells.
    worlds: Vec<Model>,
    known: Known,
    /// The number of the newest revocation before this history.
    head: u64,
}

impl<'a> Telling<'a> {
    async fn begin(trial: &'a mut dyn Trial, names: Names) -> Self {
        let head = told::begin(&trial.store(), names).await;
        Self { trial, names, worlds: vec![Model::new()], known: Known::default(), head }
    }

    async fn step(&mut self, step: &Step, n: u64) -> Result<(), String> {
        // What can be read is the same in all worlds.
        let request = |act, n| self.known.request(act, &self.worlds[0], n);
        match step {
            Step::Pass(seconds) => {
                self.known.pass(*seconds);
                Ok(())
            }
            Step::One(act) => match request(act, n * 4) {
                Some(request) => self.one(request).await,
                None => Ok(()),
            },
            Step::Crash { during, after_polls } => {
                let request = request(during, n * 4);
                self.crash(request, *after_polls).await
            }
            Step::AtOnce(acts) => {
                let requests = (n * 4..).zip(acts).filter_map(|(n, act)| request(act, n)).collect();
                self.at_once(requests).await
            }
        }
    }

    async fn one(&mut self, request: Request) -> Result<(), String> {
        self.known.name(&request);
        let answer = told::ask(&self.trial.store(), &request, self.names).await;
        let mut worlds = Vec::new();
        let mut expected = Err("no world is left".to_owned());
        for mut world in std::mem::take(&mut self.worlds) {
            expected = match &request {
                // Which of the dead go first is the store's own affair.
                Request::Sweep { at, limit } => {
                    let gone = told::gone(&self.trial.store(), &world, self.names).await;
                    world.sweep(&gone, *at, *limit)
                }
                _ => Ok(world.answer(&request)),
            };
            if expected.as_ref() == Ok(&answer) {
                worlds.push(world);
            }
        }
        if worlds.is_empty() {
            return Err(format!("{answer:?}, expected {:?}", expected?));
        }
        self.go_on(worlds, &[(&request, &answer)])
    }

    /// Asks for all at once: they must come out as if one had followed the other.
    async fn at_once(&mut self, requests: Vec<Request>) -> Result<(), String> {
        let mut asked = Vec::new();
        for request in &requests {
            self.known.name(request);
            let (store, request, names) = (self.trial.store(), request.clone(), self.names);
            asked.push(tokio::spawn(async move { told::ask(&store, &request, names).await }));
        }
        let mut answers = Vec::new();
        for each in asked {
            answers.push(each.await.map_err(|error| error.to_string())?);
        }
        let mut candidates = Vec::new();
        for order in orders(requests.len()) {
            for mut world in self.worlds.clone() {
                if order.iter().all(|n| world.answer(&requests[*n]) == answers[*n]) {
                    candidates.push(world);
                }
            }
        }
        let worlds = self.agreeing(candidates).await.map_err(|difference| {
            format!(
                "no order gives {requests:?} the answers {answers:?} and leaves this{difference}"
            )
        })?;
        self.go_on(worlds, &requests.iter().zip(&answers).collect::<Vec<_>>())
    }

    /// Crashes while a request is under way: it happened whole, or not at all.
    async fn crash(&mut self, request: Option<Request>, polls: u8) -> Result<(), String> {
        let Some(request) = request else {
            self.trial.crash();
            return self.compare().await;
        };
        self.known.name(&request);
        let (store, asked, names) = (self.trial.store(), request.clone(), self.names);
        let asking = tokio::spawn(async move { told::ask(&store, &asked, names).await });
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        let was_acknowledged = asking.is_finished();
        let crashed = self.trial.crash();
        let answer = asking.await.map_err(|error| error.to_string())?;
        let is_lost = crashed && !was_acknowledged;
        let mut candidates = if is_lost { self.worlds.clone() } else { Vec::new() };
        for mut world in self.worlds.clone() {
            if world.answer(&request) == answer || is_lost {
                candidates.push(world);
            }
        }
        let worlds = self.agreeing(candidates).await.map_err(|difference| {
            format!("a crash in {request:?}, answered with {answer:?}, left neither{difference}")
        })?;
        let answer = if is_lost { Answer::Lost } else { answer };
        self.go_on(worlds, &[(&request, &answer)])
    }

    /// Reads everything, and says how it differs from how things may be.
    async fn compare(&mut self) -> Result<(), String> {
        let candidates = std::mem::take(&mut self.worlds);
        self.worlds = self.agreeing(candidates).await?;
        Ok(())
    }

    /// Those of the candidates that are as everything reads, or how each differs.
    async fn agreeing(&self, candidates: Vec<Model>) -> Result<Vec<Model>, String> {
        let (mut worlds, mut differences) = (Vec::new(), String::new());
        for world in candidates {
            if worlds.contains(&world) {
                continue;
            }
            let there = (self.names, self.head);
            match told::difference(&self.trial.store(), &world, &self.known, there).await {
                None => worlds.push(world),
                Some(difference) => differences = differences + "; " + &difference,
            }
        }
        if worlds.is_empty() { Err(differences) } else { Ok(worlds) }
    }

    fn go_on(&mut self, worlds: Vec<Model>, told: &[(&Request, &Answer)]) -> Result<(), String> {
        self.worlds = worlds;
        told.iter().try_for_each(|(asked, answer)| self.known.learn(asked, answer, &self.worlds[0]))
    }

    /// Looks at what was told, and ends what is left for the histories after it.
    async fn close(self) -> Result<(), String> {
        told::close(&self.trial.store(), &self.worlds[0], (self.names, self.head)).await
    }
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for n in 0..count {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, n);
                    longer
                })
            })
            .collect();
    }
    orders
}

/// Takes steps away as long as the history still goes wrong, each time on a fresh store.
async fn shortest<T: Trial>(
    make: &(impl Fn() -> T + Sync),
    seed: u64,
    mut steps: Vec<Step>,
    mut difference: String,
) -> String {
    let whole = steps.len();
    let mut chunk = steps.len();
    while chunk > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + chunk));
            match wrong(make, seed, &fewer).await {
                Some(still) => (steps, difference) = (fewer, still),
                None => at += chunk,
            }
        }
        chunk /= 2;
    }
    let mut text = format!("a history diverges: seed {seed}, {} of {whole} steps:\n", steps.len());
    for (n, step) in (1..).zip(&steps) {
        let _ = writeln!(text, "  {n}. {step:?}");
    }
    text + &difference
}

/// How a history goes wrong, if it does. A race is given a few chances to.
async fn wrong<T: Trial>(
    make: &(impl Fn() -> T + Sync),
    seed: u64,
    steps: &[Step],
) -> Option<String> {
    for _ in 0..3 {
        let mut trial = make();
        let told = tell(&mut trial, steps, Names::new(0, seed), Watch::Always).await;
        if let Err(difference) = told {
            return Some(difference);
        }
    }
    None
}
