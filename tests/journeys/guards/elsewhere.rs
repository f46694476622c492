//! Guards in processes of their own, stopped and started, near and cut off.

use std::process::Stdio;
use std::time::Duration;

use doorward_guard::{Credential, Guard};
use doorward_wire::UnixTime;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Scene;
use crate::harness::relay::{Relay, Wire};
use crate::harness::wait::PATIENCE;
use crate::harness::{Tokens, report, within};

/// Says that this is the other process, and what it is to do.
const OTHER: &str = "DOORWARD_TEST_GUARD";

/// How many guards there are.
const GUARDS: usize = 10;

/// How many sessions are ended. More say nothing else, and take longer.
const ROUNDS: usize = 1000;

/// The longest that anything may be accepted after its end was acknowledged.
const BOUND: Duration = Duration::from_secs(1);

/// The time on a clock that all processes of a machine share.
fn shared_clock() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}

/// The other process: it checks the token it was told, all the time, and says when it accepted it last.
///
/// It reads `watch <token>` and answers `watching` once the token is accepted; then `refused <ns>` with
/// the moment of the last acceptance as soon as there is a refusal; and to `report` the same again.
#[tokio::test]
#[ignore = "this is the other process of the tests beside it, which start it"]
async fn a_guard_in_a_process_of_its_own() {
    let Ok(task) = std::env::var(OTHER) else { panic!("{OTHER} says what to do") };
    let [issuer, way, credential, skew] = task.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{task}")
    };
    let skew: i64 = skew.parse().unwrap();
    let guard = Guard::follow(issuer, issuer, Credential::token(credential))
        .by_way_of(way.parse().unwrap())
        .start()
        .unwrap();
    // This machine's clock, and not only that of the guard, is wrong.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = UnixTime(now.as_secs().saturating_add_signed(skew));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let (mut bearer, mut accepted_at, mut is_told) = (String::new(), None::<Duration>, true);
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line.unwrap() else { return };
                match line.split_once(' ') {
                    Some((_, token)) => {
                        (bearer, accepted_at, is_told) = (format!("Bearer {token}"), None, false);
                    }
                    None => say(&format!("last {}", accepted_at.unwrap_or_default().as_nanos())),
                }
            }
            () = tokio::time::sleep(Duration::from_micros(500)) => {}
        }
        if bearer.is_empty() {
            continue;
        }
        // The time before, so that what comes between counts against us.
        let before = shared_clock();
        if guard.check(Some(&bearer), now).is_ok() {
            if accepted_at.is_none() {
                say("watching");
            }
            accepted_at = Some(before);
        } else if let (Some(at), false) = (accepted_at, is_told) {
            is_told = true;
            say(&format!("refused {}", at.as_nanos()));
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is how it speaks to the test that started it")]
fn say(line: &str) {
    println!("guard: {line}");
}

/// A guard in another process, and its wire.
struct Elsewhere {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    relay: Relay,
}

impl Elsewhere {
    async fn start(scene: &Scene, skew: i64) -> Self {
        let relay = Relay::to(scene.server.address).await;
        let (issuer, credential) = (&scene.server.origin, scene.credential().await);
        let task = format!("{issuer} {} {credential} {skew}", relay.address);
        let name = "journeys::guards::elsewhere::a_guard_in_a_process_of_its_own";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(OTHER, task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, stdout, relay }
    }

    async fn tell(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// What it says next, if it begins with this word.
    async fn hear(&mut self, word: &str) -> String {
        within(PATIENCE, "a word from a guard elsewhere", async {
            loop {
                let line = self.stdout.next_line().await.unwrap().expect("the guard has ended");
                if let Some((_, said)) = line.split_once("guard: ")
                    && let Some(rest) = said.strip_prefix(word)
                {
                    return rest.trim().to_owned();
                }
            }
        })
        .await
    }

    async fn watch(&mut self, tokens: &Tokens) {
        self.tell(&format!("watch {}", tokens.access)).await;
        self.hear("watching").await;
    }

    /// When it accepted the token last, as it says now.
    async fn last_accepted(&mut self) -> Duration {
        self.tell("report").await;
        Duration::from_nanos(self.hear("last").await.parse().unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

fn percentile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among a few thousand"
    )]
    let place = ((sorted.len() - 1) as f64 * part) as usize;
    sorted[place]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_guards_elsewhere_refuse_within_the_bound_what_has_ended() {
    let scene = Scene::start().await;
    let mut guards = Vec::new();
    for skew in (0..GUARDS).map(|n| [0, 300, -300][n % 3]) {
        guards.push(Elsewhere::start(&scene, skew).await);
    }
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let tokens = scene.tokens().await;
        for guard in &mut guards {
            guard.tell(&format!("watch {}", tokens.access)).await;
        }
        for guard in &mut guards {
            guard.hear("watching").await;
        }
        scene.end(&tokens).await;
        let acknowledged = shared_clock();
        for guard in &mut guards {
            let last = Duration::from_nanos(guard.hear("refused").await.parse().unwrap());
            took.push(last.saturating_sub(acknowledged));
        }
    }
    took.sort();
    let [median, most_of_all, most] = [0.5, 0.99, 1.0].map(|part| percentile(&took, part));
    report(&format!(
        "last acceptance after the acknowledged end, {GUARDS} guards in other processes, {ROUNDS} \
         ends: p50 {median:?}, p99 {most_of_all:?}, max {most:?}"
    ));
    assert!(most <= BOUND, "{most:?}");
}

/// Ends a session while something is wrong with the way to a guard, and says for how long it accepted.
async fn in_trouble(
    scene: &Scene,
    guard: &mut Elsewhere,
    what: &str,
    begin: impl FnOnce(&Elsewhere),
    end: impl FnOnce(&Elsewhere),
) {
    let tokens = scene.tokens().await;
    guard.watch(&tokens).await;
    begin(guard);
    scene.end(&tokens).await;
    let acknowledged = shared_clock();
    // Longer than any bound: what is accepted late shows.
    tokio::time::sleep(BOUND * 5 / 2).await;
    end(guard);
    tokio::time::sleep(BOUND / 2).await;
    let last = guard.last_accepted().await.saturating_sub(acknowledged);
    report(&format!("{what}: last acceptance {last:?} after the acknowledged end"));
    assert!(last <= BOUND, "{what}: {last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_accepted_later_than_the_bound_whatever_goes_wrong() {
    let scene = Scene::start().await;
    for skew in [0, 300, -300] {
        let mut guard = Elsewhere::start(&scene, skew).await;
        let told = |what: &str| format!("{what}, clock {skew:+} s");
        let set = |wire| move |guard: &Elsewhere| guard.relay.set(wire);
        let signal = |signal| move |guard: &Elsewhere| guard.signal(signal);
        let (held, cut, whole) = (set(Wire::Held), set(Wire::Cut), set(Wire::Whole));
        in_trouble(&scene, &mut guard, &told("the feed is stuck"), held, set(Wire::Whole)).await;
        in_trouble(&scene, &mut guard, &told("the feed is cut"), cut, whole).await;
        let (stop, go_on) = (signal(Signal::STOP), signal(Signal::CONT));
        in_trouble(&scene, &mut guard, &told("the guard is frozen"), stop, go_on).await;
    }
}
