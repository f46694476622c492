//! `doorward token`: what a token says, and why it is refused, told to people.

use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Subcommand;
use doorward_server::ambient::Clock;
use doorward_server::keyring::Keyring;
use doorward_wire::jose::{Algorithm, JwkSet, KeySet};
use doorward_wire::json;
use doorward_wire::token::{Expectation, Explanation, Shown, Unverified};
use serde_json::json;

use super::{DataFlags, Outcome, block_on, folder};
use crate::clock::SystemClock;
use crate::open::{self, Use};
use crate::terminal::say;

/// Twice what any token has. More is no token.
const TOKEN_MAX: u64 = 16 * 1024;

/// `doorward token …`. The token is read from standard input: others can see a command's arguments.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Say what a token is and what it says. Nothing is verified.
    Inspect {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Verify an access token, each check in its order: exit code 0 if it is good, else 3.
    ///
    /// By the keys of the server's data folder, and then whether its session is open; or, with --jwks, by
    /// a published set.
    Verify {
        /// A file with a published set of keys, as at /.well-known/jwks.json
        #[arg(long, value_name = "FILE", requires = "issuer", requires = "audience")]
        jwks: Option<PathBuf>,
        /// Who must have issued it [default: the server of the data folder]
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        /// Whom it must be for [default: the issuer]
        #[arg(long, value_name = "AUDIENCE")]
        audience: Option<String>,
        /// The algorithms that count with --jwks; may be repeated [default: EdDSA]
        #[arg(long = "algorithm", value_name = "ALGORITHM", requires = "jwks")]
        algorithms: Vec<Algorithm>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: TokenCommand) -> Result<(), Outcome> {
    match command {
        TokenCommand::Inspect { json } => {
            let said = Unverified::of(&pasted()?);
            if json {
                say(json!({ "kind": said.kind, "header": said.header, "claims": said.claims }));
                return Ok(());
            }
            say(format!("{}. Nothing of it was verified.", sentence(said.kind)));
            for (name, value) in [("header", said.header), ("claims", said.claims)] {
                if let Some(value) = value {
                    say(format!("\n{name}\n{value:#}"));
                }
            }
            Ok(())
        }
        TokenCommand::Verify { jwks: Some(file), issuer, audience, algorithms, json, .. } => {
            let keys = published(&file)?;
            let (issuer, audience) = (issuer.unwrap_or_default(), audience.unwrap_or_default());
            let algorithms =
                if algorithms.is_empty() { vec![Algorithm::EdDsa] } else { algorithms };
            let expected = expected(&issuer, &audience, &algorithms);
            let now = doorward_wire::UnixTime(SystemClock.unix_ms() / 1000);
            tell(&Explanation::of(&pasted()?, &keys, &expected, now), Session::NotKept, json)
        }
        TokenCommand::Verify { jwks: None, issuer, audience, json, data, .. } => {
            beside_the_server(issuer, audience, json, &data)
        }
    }
}

fn expected<'a>(
    issuer: &'a str,
    audience: &'a str,
    algorithms: &'a [Algorithm],
) -> Expectation<'a> {
    Expectation { issuer, audience, algorithms, shown: Shown::Bearer }
}

fn beside_the_server(
    issuer: Option<String>,
    audience: Option<String>,
    as_json: bool,
    data: &DataFlags,
) -> Result<(), Outcome> {
    let config = data.config()?;
    let port = config.listen().map_err(Outcome::Misconfigured)?.port();
    let settings = config.settings(port).map_err(Outcome::Misconfigured)?;
    let folder = folder(&config)?;
    let own = folder.issuer().unwrap_or_else(|| settings.site.issuer().to_owned());
    let issuer = issuer.unwrap_or_else(|| own.clone());
    let audience = audience.unwrap_or_else(|| own.clone());
    let algorithm = if audience == own {
        settings.algorithm
    } else {
        let known = settings.audiences.iter().find(|known| known.name == audience);
        let known = known.with_context(|| {
            format!("{audience:?} is no audience of this server\nTry: --audience {own}")
        });
        known?.algorithm
    };
    let text = pasted()?;
    let ambient = open::ambient();
    let (store, master) = block_on(open::with_key(&folder, Use::Command, &*ambient.entropy))?;
    let (explained, session) = block_on(async {
        let ring = Keyring::open(&*store, master, settings.sharing(), ambient.now()).await;
        let keys = ring.context("opening the signing keys")?.verifying();
        let algorithms = [algorithm];
        let expected = expected(&issuer, &audience, &algorithms);
        let explained = Explanation::of(&text, &keys, &expected, ambient.now());
        let Ok(token) = explained.verified() else { return Ok((explained, Session::NotReached)) };
        let auth_time = token.as_unrevoked().auth_time;
        let found = store.session(token.sid()).await?;
        let live = found.and_then(|found| found.check(&settings.lifetimes, ambient.now()).ok());
        let is_open = live.is_some_and(|(live, _)| auth_time >= live.session().proved_at);
        Ok((explained, if is_open { Session::Open } else { Session::Ended }))
    })?;
    tell(&explained, session, as_json)
}

/// What is known of the session that a token hangs from.
#[derive(Clone, Copy)]
enum Session {
    Open,
    Ended,
    /// A check failed before.
    NotReached,
    /// There is no store here that could be asked.
    NotKept,
}

fn tell(explained: &Explanation, session: Session, as_json: bool) -> Result<(), Outcome> {
    let steps = explained.steps();
    let mut checks: Vec<_> =
        steps.map(|(step, verdict)| (step.name(), step.question(), verdict.name())).collect();
    let verdict = match session {
        Session::Open => Some("passed"),
        Session::Ended => Some("failed"),
        Session::NotReached => Some("not reached"),
        Session::NotKept => None,
    };
    if let Some(verdict) = verdict {
        checks.push(("session", "The session that it hangs from is open", verdict));
    }
    let failed = checks.iter().find(|(_, _, verdict)| *verdict == "failed");
    if as_json {
        let check =
            |(name, _, verdict): &(&str, &str, &str)| json!({ "check": name, "verdict": verdict });
        say(json!({
            "good": failed.is_none(),
            "refused": failed.map(|(name, _, _)| name),
            "checks": checks.iter().map(check).collect::<Vec<_>>(),
        }));
    } else {
        for (name, question, verdict) in &checks {
            say(format!("{verdict:11}  {name:9}  {question}"));
        }
    }
    match failed {
        None => Ok(()),
        Some((name, ..)) => Err(Outcome::No(anyhow::anyhow!("the token is refused: {name}"))),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The token on standard input.
fn pasted() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = stdin().lock().take(TOKEN_MAX + 1).read_to_string(&mut text);
    let length = read.context("reading the token from standard input")?;
    ensure!(length as u64 <= TOKEN_MAX, "no token has more than 8 KiB");
    let text = text.trim();
    ensure!(
        !text.is_empty(),
        "there is no token on standard input\nTry: doorward token inspect < FILE"
    );
    Ok(text.to_owned())
}

fn published(file: &Path) -> anyhow::Result<KeySet> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let set: JwkSet = json::strict(&bytes).map_err(|error| {
        anyhow::anyhow!("{} is no set of keys: {}", file.display(), error.message)
    })?;
    Ok(KeySet::from_jwks(&set)?)
}
