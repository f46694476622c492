//! `doorward client`.

use anyhow::{Context, ensure};
use clap::Subcommand;
use doorward_core::client::{Client, ClientName, PREFIX};
use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::REVOCATIONS_SCOPE;
use doorward_core::redirect::RedirectUri;
use doorward_core::signal::SIGNALS_SCOPE;
use doorward_server::ambient::Ambient;
use doorward_server::settings::Settings;
use doorward_store::Store;
use doorward_wire::ClientId;
use serde_json::{Value, json};

use super::{DataFlags, Outcome, block_on, folder};
use crate::open::{self, Use};
use crate::terminal::{confirm, say};

/// How many clients are read at once.
const PAGE: usize = 500;

/// What a client's own tokens may allow at our API. To administrate is for people.
const SCOPES: [&str; 2] = [REVOCATIONS_SCOPE, SIGNALS_SCOPE];

/// `doorward client …`
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Make a client. Its secret is printed once.
    Add {
        /// What people call it.
        name: String,
        /// What its own tokens may allow: doorward.revocations, doorward.signals; may be repeated
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// An audience it serves: about tokens for it the client may ask; may be repeated
        #[arg(long = "serves", value_name = "AUDIENCE")]
        serves: Vec<String>,
        /// Where people come back to who have signed in for it: an https address, or http on this machine; may be
        /// repeated
        #[arg(long = "redirect", value_name = "URI")]
        redirects: Vec<RedirectUri>,
        /// The audience of its people's tokens: one of [[audience]], or a site. Without it our own API
        #[arg(long, value_name = "AUDIENCE", requires = "redirects")]
        audience: Option<String>,
        /// It can keep no secret: an app in a browser, or on somebody's own machine
        #[arg(long, requires = "redirects", conflicts_with_all = ["scopes", "serves"])]
        public: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// List all clients.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Show a client.
    Show {
        /// Its id.
        id: ClientId,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Give a client a new secret, printed once. The one before opens nothing from now on.
    RotateSecret {
        /// Its id.
        id: ClientId,
        /// End what was issued to it until now, too.
        #[arg(long)]
        revoke: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Delete a client, and end what was issued to it.
    Delete {
        /// Its id.
        id: ClientId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: ClientCommand) -> Result<(), Outcome> {
    match command {
        ClientCommand::Add { name, scopes, serves, redirects, audience, public, json, data } => {
            let config = data.config()?;
            let settings = config.settings(config.listen()?.port())?;
            let folder = folder(&config)?;
            // A server that was told its address by a flag has written it down.
            let own = folder.issuer().unwrap_or_else(|| settings.site.issuer().to_owned());
            let people = People { redirects, audience: audience.unwrap_or_default(), public };
            let client = new_client(&name, (scopes, serves), people, (&settings, &own))?;
            let store = block_on(open::store(&folder, Use::Command))?;
            Ok(block_on(add(&*store, client, json))?)
        }
        ClientCommand::List { json, data } => {
            let store = super::store(&data.config()?)?;
            Ok(block_on(list(&*store, json))?)
        }
        ClientCommand::Show { id, json, data } => {
            let store = super::store(&data.config()?)?;
            let client = block_on(async { Ok(store.client(id).await?) })?;
            tell(&client.ok_or_else(|| not_found(id))?, json);
            Ok(())
        }
        ClientCommand::RotateSecret { id, revoke, json, data } => {
            let store = super::store(&data.config()?)?;
            let secret = block_on(rotate(&*store, id, revoke))?.ok_or_else(|| not_found(id))?;
            if json {
                say(json!({ "id": id, "secret": secret }));
            } else {
                say(secret);
            }
            Ok(())
        }
        ClientCommand::Delete { id, yes, data } => {
            let store = super::store(&data.config()?)?;
            let client = block_on(async { Ok(store.client(id).await?) })?;
            let client = client.ok_or_else(|| not_found(id))?;
            if !yes && !confirm(&format!("Delete {} ({id})?", client.name.as_str()))? {
                return Ok(());
            }
            let ambient = open::ambient();
            let deleted = block_on(async {
                let told = event(&ambient, EventKind::ClientDeleted, id);
                Ok(store.delete_client(id, ambient.now(), told).await?)
            })?;
            if deleted { Ok(()) } else { Err(not_found(id)) }
        }
    }
}

fn not_found(id: ClientId) -> Outcome {
    Outcome::NotFound(anyhow::anyhow!("there is no client {id}\nTry: doorward client list"))
}

/// What a new client is, all but its id and its secret.
struct NewClient {
    name: ClientName,
    scopes: Vec<String>,
    serves: Vec<String>,
    people: People,
}

/// How people sign in for it, if they do.
struct People {
    redirects: Vec<RedirectUri>,
    audience: String,
    public: bool,
}

fn new_client(
    name: &str,
    (scopes, serves): (Vec<String>, Vec<String>),
    people: People,
    (settings, own): (&Settings, &str),
) -> anyhow::Result<NewClient> {
    let name = ClientName::parse(name)?;
    for scope in &scopes {
        ensure!(
            SCOPES.contains(&scope.as_str()),
            "a client's own tokens cannot allow {scope:?}\nTry: --scope {REVOCATIONS_SCOPE}"
        );
    }
    for audience in &serves {
        ensure!(
            audience == own || settings.audiences.iter().any(|known| known.name == *audience),
            "{audience:?} is no audience of this server\nTry: one of [[audience]] in doorward.toml, or {own}"
        );
    }
    let audience = &people.audience;
    ensure!(
        audience.is_empty() || audience == own || settings.audience(audience).is_some(),
        "{audience:?} is no audience of this server\nTry: one of [[audience]] in doorward.toml, or a [[site]]"
    );
    Ok(NewClient { name, scopes, serves, people })
}

async fn add(store: &dyn Store, new: NewClient, as_json: bool) -> anyhow::Result<()> {
    let ambient = open::ambient();
    let (id, secret, now) = (ambient.client_id(), ambient.secret(), ambient.now());
    let is_public = new.people.public;
    let client = Client {
        id,
        name: new.name,
        scopes: new.scopes,
        serves: new.serves,
        redirects: new.people.redirects,
        audience: new.people.audience,
        is_public: new.people.public,
        created_at: now,
        secret: secret.digest(),
        tokens_from: now,
    };
    store.add_client(client, event(&ambient, EventKind::ClientCreated, id)).await?;
    let secret = format!("{PREFIX}{}", secret.expose().as_str());
    // Of one that can keep no secret nobody is told it.
    if is_public {
        say(if as_json { json!({ "id": id }).to_string() } else { format!("id      {id}") });
    } else if as_json {
        say(json!({ "id": id, "secret": secret }));
    } else {
        say(format!("id      {id}\nsecret  {secret}        (kept nowhere: this is the only time)"));
    }
    Ok(())
}

async fn rotate(store: &dyn Store, id: ClientId, revoke: bool) -> anyhow::Result<Option<String>> {
    let ambient = open::ambient();
    let secret = ambient.secret();
    let told = event(&ambient, EventKind::ClientSecretRotated, id);
    if !store.rotate_client_secret(id, secret.digest(), told).await? {
        return Ok(None);
    }
    if revoke {
        let told = event(&ambient, EventKind::ClientRevoked, id);
        store.revoke_client(id, ambient.now(), told).await.context(
            "the secret was changed, and what was issued before was not ended: try again",
        )?;
    }
    Ok(Some(format!("{PREFIX}{}", secret.expose().as_str())))
}

fn event(ambient: &Ambient, kind: EventKind, id: ClientId) -> Event {
    let from = Device { ip: "local".to_owned(), ..Device::default() };
    Event {
        id: ambient.event_id(),
        at: ambient.now(),
        kind,
        account: None,
        session: None,
        ip: Some(from.ip),
        reason: Some(id.to_string().into()),
        device: None,
    }
}

async fn list(store: &dyn Store, as_json: bool) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = store.clients(after, PAGE).await?;
        for client in &page.items {
            tell(client, as_json);
        }
        after = page.items.last().map(|client| client.id);
        if !page.more {
            return Ok(());
        }
    }
}

fn tell(client: &Client, as_json: bool) {
    if as_json {
        return say(document(client));
    }
    let (scopes, serves) = (client.scopes.join(" "), client.serves.join(" "));
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    say(format!(
        "{}  {:24}  {}  {}",
        client.id,
        client.name.as_str(),
        or_dash(scopes),
        or_dash(serves)
    ));
}

fn document(client: &Client) -> Value {
    json!({
        "id": client.id,
        "name": client.name.as_str(),
        "scopes": client.scopes,
        "serves": client.serves,
        "redirects": client.redirects.iter().map(RedirectUri::as_str).collect::<Vec<_>>(),
        "audience": client.audience,
        "public": client.is_public,
        "created_at": client.created_at.to_string(),
    })
}
