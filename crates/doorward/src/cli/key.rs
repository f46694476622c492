//! `doorward key`.

use std::sync::Arc;

use anyhow::Context;
use clap::Subcommand;
use doorward_core::key::{ANNOUNCED, Stage};
use doorward_server::ambient::Ambient;
use doorward_server::keyring::{Keyring, Standing};
use doorward_store::Store;
use doorward_wire::KeyId;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use super::{DataFlags, Outcome, folder};
use crate::open::{self, Use};
use crate::terminal::{confirm, say};

/// `doorward key …`. Each works beside the running server, which takes it up within a second.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the keys, and what each is good for.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Make the next key. It signs a day from now, when every verifier knows it.
    Rotate {
        /// EdDSA, ES256, RS256 or HS256 [default: each that has a key]
        #[arg(long, value_name = "ALGORITHM")]
        algorithm: Option<Algorithm>,
        /// Let it sign at once: verifiers that keep published keys may refuse its tokens for minutes
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Retire a key in an emergency: nothing it signed counts from now on. If it signs, another does.
    Retire {
        /// Its name: key_…
        kid: KeyId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

/// The keys of a data folder.
struct Open {
    ring: Keyring,
    store: Arc<dyn Store>,
    ambient: Arc<Ambient>,
}

impl Open {
    async fn of(data: &DataFlags) -> Result<Self, Outcome> {
        let config = data.config()?;
        let settings = config.settings(config.listen().map_err(Outcome::Misconfigured)?.port());
        let sharing = settings.map_err(Outcome::Misconfigured)?.sharing();
        let folder = folder(&config)?;
        let ambient = open::ambient();
        let (store, master) = open::with_key(&folder, Use::Command, &*ambient.entropy).await?;
        let ring = Keyring::open(&*store, master, sharing, ambient.now()).await;
        let ring = ring.context("opening the signing keys")?;
        Ok(Self { ring, store, ambient })
    }

    fn standings(&self) -> Vec<Standing> {
        self.ring.standings(self.ambient.now())
    }
}

pub(super) fn run(command: KeyCommand) -> Result<(), Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    match command {
        KeyCommand::List { json, data } => {
            let open = runtime.block_on(Open::of(&data))?;
            open.standings().iter().for_each(|standing| tell(standing, json));
            Ok(())
        }
        KeyCommand::Rotate { algorithm, now, data } => {
            let open = runtime.block_on(Open::of(&data))?;
            runtime.block_on(rotate(&open, algorithm, now))
        }
        KeyCommand::Retire { kid, yes, data } => {
            let open = runtime.block_on(Open::of(&data))?;
            let standing = open.standings().into_iter().find(|it| it.kid == kid);
            let standing = standing.ok_or_else(|| not_found(kid))?;
            let question = format!("Retire {kid}, which is {}?", standing.stage.name());
            if !yes && !confirm(&question)? {
                return Ok(());
            }
            let retired = runtime.block_on(open.ring.retire(kid, &*open.store, &open.ambient));
            if retired.context("retiring the key")? { Ok(()) } else { Err(not_found(kid)) }
        }
    }
}

fn not_found(kid: KeyId) -> Outcome {
    let error =
        anyhow::anyhow!("there is no key {kid} that is not retired\nTry: doorward key list");
    Outcome::NotFound(error)
}

async fn rotate(open: &Open, algorithm: Option<Algorithm>, at_once: bool) -> Result<(), Outcome> {
    let now = open.ambient.now();
    let standings = open.standings();
    let has_key = |algorithm: &Algorithm| standings.iter().any(|it| it.algorithm == *algorithm);
    let algorithms: Vec<_> = match algorithm {
        Some(algorithm) => vec![algorithm],
        None => Algorithm::ALL.into_iter().filter(has_key).collect(),
    };
    if algorithms.is_empty() {
        let error = anyhow::anyhow!("there is no key yet\nTry: start doorward serve once");
        return Err(Outcome::NotFound(error));
    }
    for algorithm in algorithms {
        let is_next = |it: &&Standing| it.algorithm == algorithm && it.stage == Stage::Announced;
        if let Some(announced) = standings.iter().find(is_next).filter(|_| !at_once) {
            say(format!("{} is announced already", announced.kid));
            continue;
        }
        let active_at = if at_once { now } else { now.after(ANNOUNCED) };
        let made = open.ring.follow_up(algorithm, active_at, &*open.store, &open.ambient).await;
        made.context("making a key")?;
    }
    open.standings().iter().for_each(|standing| tell(standing, false));
    Ok(())
}

fn tell(standing: &Standing, as_json: bool) {
    let Standing { kid, algorithm, stage, created_at, active_at } = standing;
    if as_json {
        return say(json!({
            "kid": kid,
            "algorithm": algorithm.name(),
            "stage": stage.name(),
            "created_at": created_at.to_string(),
            "active_at": active_at.to_string(),
        }));
    }
    say(format!("{kid}  {:6}  {:9}  signs from {active_at}", algorithm.name(), stage.name()));
}
