//! `doorward account`.

use clap::Subcommand;
use doorward_core::account::{Email, Role};
use doorward_core::credential::Password;
use doorward_core::device::Device;
use doorward_server::flow::account::{Application, RegisterError, prepare};
use doorward_store::act::AccountError;
use doorward_wire::AccountId;
use serde_json::json;

use super::{DataFlags, Outcome, block_on, folder};
use crate::config::Config;
use crate::open::{self, Extras, Use};
use crate::terminal::{read_password, say};

/// How many accounts are read at once.
const PAGE: usize = 500;

/// `doorward account …`
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account. The password is typed unseen, or read from standard input.
    Add {
        /// The name to log in with.
        username: String,
        /// An e-mail address.
        #[arg(long, value_name = "ADDRESS", default_value = "")]
        email: String,
        /// Make it an administrator's.
        #[arg(long)]
        administrator: bool,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// List all accounts.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: AccountCommand) -> Result<(), Outcome> {
    match command {
        AccountCommand::Add { username, email, administrator, password_stdin, data } => {
            let config = data.config()?;
            let password = read_password(password_stdin)?;
            let role = if administrator { Role::Administrator } else { Role::Member };
            let application = Application {
                username,
                email,
                password: Password::from(String::clone(&password)),
                from: Device { ip: "local".to_owned(), ..Device::default() },
            };
            Ok(block_on(add(&config, application, role))?)
        }
        AccountCommand::List { json, data } => Ok(block_on(list(&data.config()?, json))?),
    }
}

async fn add(config: &Config, application: Application, role: Role) -> anyhow::Result<()> {
    let (settings, folder) = (config.settings(0)?, folder(config)?);
    let app = open::app(settings, 1, &folder, open::ambient(), Extras::default()).await?;
    let (new, _) = prepare(&app, application, role).await.map_err(explain)?;
    let id = new.account.id;
    app.store.open_account(new).await.map_err(|error| match error {
        AccountError::Taken => explain(RegisterError::Taken),
        other => other.into(),
    })?;
    say(id);
    Ok(())
}

fn explain(error: RegisterError) -> anyhow::Error {
    let RegisterError::Invalid(faults) = &error else { return error.into() };
    let username = faults.username.map(|refusal| refusal.message().to_owned());
    let email = faults.email.then(|| "This is not an e-mail address.".to_owned());
    let password = faults.password.map(|refusal| refusal.to_string());
    let told: Vec<String> = [username, email, password].into_iter().flatten().collect();
    anyhow::anyhow!("{}", told.join(" "))
}

async fn list(config: &Config, as_json: bool) -> anyhow::Result<()> {
    let store = open::store(&folder(config)?, Use::Command).await?;
    let mut after: Option<AccountId> = None;
    loop {
        let page = store.accounts(after, PAGE).await?;
        for account in &page.items {
            let email = account.email.as_ref().map(Email::as_str);
            if as_json {
                say(json!({
                    "id": account.id,
                    "username": account.username.as_str(),
                    "email": email,
                    "role": account.role.name(),
                    "created_at": account.created_at.to_string(),
                }));
            } else {
                let (name, role) = (account.username.as_str(), account.role.name());
                say(format!("{}  {name:24}  {role:13}  {}", account.id, email.unwrap_or("-")));
            }
        }
        after = page.items.last().map(|account| account.id);
        if !page.more {
            return Ok(());
        }
    }
}
