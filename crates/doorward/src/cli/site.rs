//! `doorward site`: the sites behind a proxy that asks us.

use std::io::Write;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use doorward_core::account::Account;
use doorward_core::session::Assurance;
use doorward_core::site::{
    Admission, Denial, Member, Origin, OriginPattern, Ruling, Site, Verdict, Visit,
};
use doorward_core::username::Username;
use doorward_server::Settings;
use serde_json::{Value, json};

use super::{DataFlags, Outcome, block_on, folder};
use crate::config::{self, Config};
use crate::data_dir::DataDir;
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
            let settings = settings(&data.config()?)?;
            for site in settings.sites.iter() {
                if json {
                    say(document(site));
                } else {
                    tell(site);
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

fn members(admission: &Admission) -> String {
    let demand = match admission {
        Admission::Anybody => return "anybody".to_owned(),
        Admission::Nobody => return "nobody".to_owned(),
        Admission::Members(demand) => demand,
    };
    let roles = demand.roles.iter().map(|role| role.name());
    let accounts = demand.accounts.iter().map(Username::as_str);
    let names: Vec<&str> = roles.chain(accounts).collect();
    let mut words = if names.is_empty() {
        "members".to_owned()
    } else {
        format!("members: {}", names.join(", "))
    };
    if let Some(level) = demand.assurance {
        words.extend([", at ", level.name()]);
    }
    if let Some(within) = demand.proved_within {
        words.extend([", proved within ", &humantime::format_duration(within).to_string()]);
    }
    words
}

fn tell(site: &Site) {
    say(&site.origin);
    for (index, rule) in site.rules.iter().enumerate() {
        let methods = if rule.methods.is_empty() { String::new() } else { rule.methods.join(" ") };
        let part = format!("{} {methods}", rule.path.as_str());
        say(format!("  {:<3} {part:<30} {}", index + 1, members(&rule.admission)));
    }
    say(format!("      {:<30} {}", "everything else", members(&site.otherwise)));
}

fn document(site: &Site) -> Value {
    let rules = site.rules.iter().map(|rule| {
        json!({
            "path": rule.path.as_str(),
            "methods": rule.methods,
            "allow": members(&rule.admission),
        })
    });
    json!({
        "origin": site.origin.to_string(),
        "rules": rules.collect::<Vec<_>>(),
        "allow": members(&site.otherwise),
    })
}

/// Writes a site below what is in the file, which stays as it is.
fn add(origin: &str, data: &DataFlags) -> Result<(), Outcome> {
    let pattern = OriginPattern::parse(origin).map_err(|refusal| {
        anyhow!("{origin}: {refusal}\nTry: doorward site add https://wiki.example.com")
    })?;
    let known = settings(&data.config()?)?;
    if known.sites.iter().any(|site| site.origin == pattern) {
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
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    let site = settings.protected(&origin).ok_or_else(|| {
        Outcome::No(anyhow!("no site is set up for {origin}\nTry: doorward site add {origin}"))
    })?;
    let member = match account {
        NOBODY => None,
        name => Some(block_on(find(name, &folder(&config)?))?.ok_or_else(|| {
            Outcome::NotFound(anyhow!("there is no account {name}\nTry: doorward account list"))
        })?),
    };
    let now = open::ambient().now();
    let who = member.as_ref().map(|account| Member {
        account,
        assurance: Assurance::Aal1,
        proved_at: now,
    });
    let method = method.to_ascii_uppercase();
    let Ruling { verdict, rule } = site.rule_on(Visit { method: &method, path }, who, now);
    let by = match rule.and_then(|number| Some((number, site.rules.get(number - 1)?))) {
        Some((number, rule)) => {
            format!("rule {number}, {}: {}", rule.path.as_str(), members(&rule.admission))
        }
        None => format!("no rule fits, so {}", members(&site.otherwise)),
    };
    let answer = match verdict {
        Verdict::Allowed => "allowed",
        Verdict::SignIn => "sign in first",
        Verdict::ProveAgain => "prove again first",
        Verdict::Denied(Denial::Closed) => "denied: it is closed",
        Verdict::Denied(Denial::NotOneOfThem) => "denied: it is for others",
        Verdict::Denied(Denial::Assurance) => "denied: it needs a second factor",
    };
    if json {
        say(
            json!({ "allowed": verdict == Verdict::Allowed, "answer": answer, "rule": rule, "by": by }),
        );
    } else {
        say(format!("{answer} ({by})"));
    }
    if verdict == Verdict::Allowed {
        return Ok(());
    }
    Err(Outcome::No(anyhow!("{method} {origin}{path} would not be let through")))
}

async fn find(name: &str, folder: &DataDir) -> anyhow::Result<Option<Account>> {
    let Ok(username) = Username::parse(name) else { return Ok(None) };
    let store = open::store(folder, None)?;
    Ok(store.account_named(&username).await?.map(|(account, _)| account))
}
