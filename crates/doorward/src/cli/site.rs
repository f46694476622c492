//! `doorward site`: the sites behind a proxy that asks us.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use doorward_core::account::Account;
use doorward_core::site::{Origin, OriginPattern, Site, Verdict, Visit};
use doorward_core::username::Username;
use doorward_server::Settings;
use doorward_server::flow::site::{as_if_signed_in, path_of};
use doorward_store::Store;
use serde_json::json;

use super::{DataFlags, Outcome, block_on};
use crate::config::{self, Config, StorePlace};
use crate::open;
use crate::terminal::say;

/// How `site check` calls whoever is not signed in.
const NOBODY: &str = "-";

/// `doorward site …`
#[derive(Debug, Subcommand)]
pub(super) enum SiteCommand {
    /// List the sites and their rules.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Add a site for members to the configuration file. It counts from the next start.
    Add {
        /// Where it is reached: `https://wiki.example.com`
        origin: String,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Say whether somebody would be let in, and by which rule: exit code 0 if they would, else 3.
    ///
    /// As if they had signed in just now, with a password.
    Check {
        /// The account's username, or - for somebody who is not signed in.
        account: String,
        /// The method: GET
        method: String,
        /// The address: `https://wiki.example.com/page`
        url: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: SiteCommand) -> Result<(), Outcome> {
    match command {
        SiteCommand::List { json, data } => {
            let config = data.config()?;
            let settings = settings(&config)?;
            if let Some(store) = store(&config)? {
                block_on(look(&settings, &*store))?;
            }
            for site in settings.sites.now().iter() {
                if json {
                    say(settings.sites.document(site));
                } else {
                    tell(site, settings.sites.is_configured(&site.origin));
                }
            }
            Ok(())
        }
        SiteCommand::Add { origin, data } => add(&origin, &data),
        SiteCommand::Check { account, method, url, json, data } => {
            check(&account, (&method, &url), json, &data)
        }
    }
}

fn settings(config: &Config) -> anyhow::Result<Settings> {
    config.settings(config.listen()?.port())
}

/// The store, if there is one yet: before the first start there is none.
fn store(config: &Config) -> anyhow::Result<Option<Arc<dyn Store>>> {
    match config.store()? {
        StorePlace::File(database) if !database.exists() => Ok(None),
        StorePlace::File(_) | StorePlace::Postgres(_) => super::store(config).map(Some),
    }
}

async fn look(settings: &Settings, store: &dyn Store) -> anyhow::Result<()> {
    settings.sites.look(store).await.context("reading the kept sites")
}

fn tell(site: &Site, is_configured: bool) {
    let whose = if is_configured { "" } else { "   (kept by an administrator)" };
    say(format!("{}{whose}", site.origin));
    for (index, rule) in site.rules.iter().enumerate() {
        let methods = if rule.methods.is_empty() { String::new() } else { rule.methods.join(" ") };
        let part = format!("{} {methods}", rule.path.as_str());
        say(format!("  {:<3} {part:<30} {}", index + 1, rule.admission));
    }
    say(format!("      {:<30} {}", "everything else", site.otherwise));
}

/// Writes a site below what is in the file, which stays as it is.
fn add(origin: &str, data: &DataFlags) -> Result<(), Outcome> {
    let pattern = OriginPattern::parse(origin).map_err(|refusal| {
        anyhow!("{origin}: {refusal}\nTry: doorward site add https://wiki.example.com")
    })?;
    let known = settings(&data.config()?)?;
    if known.sites.is_configured(&pattern) {
        say(format!("{pattern} is there already"));
        return Ok(());
    }
    let path = config::path(data.config.as_deref());
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = opened.with_context(|| format!("opening {}", path.display()))?;
    write!(file, "\n[[site]]\norigin = \"{pattern}\"\n")
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    say(format!("{pattern} is in {} and counts from the next start", path.display()));
    Ok(())
}

fn check(
    account: &str,
    (method, url): (&str, &str),
    json: bool,
    data: &DataFlags,
) -> Result<(), Outcome> {
    let config = data.config()?;
    let settings = settings(&config)?;
    let (origin, rest) = Origin::split(url).map_err(|_| {
        anyhow!(
            "{url} is no address\nTry: doorward site check {account} GET https://wiki.example.com/"
        )
    })?;
    let store = match account {
        NOBODY => store(&config)?,
        _ => Some(super::store(&config)?),
    };
    if let Some(store) = &store {
        block_on(look(&settings, &**store))?;
    }
    let site = settings.protected(&origin).ok_or_else(|| {
        Outcome::No(anyhow!("no site is set up for {origin}\nTry: doorward site add {origin}"))
    })?;
    let member = match account {
        NOBODY => None,
        name => Some(block_on(find(name, store.as_deref()))?.ok_or_else(|| {
            Outcome::NotFound(anyhow!("there is no account {name}\nTry: doorward account list"))
        })?),
    };
    let method = method.to_ascii_uppercase();
    let visit = Visit { method: &method, path: path_of(rest) };
    let ruling = as_if_signed_in(&site, member.as_ref(), visit, open::ambient().now());
    let (verdict, by) = (ruling.verdict, ruling.reason(&site));
    let answer = verdict.words();
    if json {
        say(
            json!({ "allowed": verdict == Verdict::Allowed, "answer": answer, "rule": ruling.rule, "by": by }),
        );
    } else {
        say(format!("{answer} ({by})"));
    }
    if verdict == Verdict::Allowed {
        return Ok(());
    }
    Err(Outcome::No(anyhow!("{method} {origin}{} would not be let through", visit.path)))
}

async fn find(name: &str, store: Option<&dyn Store>) -> anyhow::Result<Option<Account>> {
    let (Ok(username), Some(store)) = (Username::parse(name), store) else { return Ok(None) };
    Ok(store.account_named(&username).await?.map(|(account, _)| account))
}
