//! The first administrator: a link that works once, for half an hour.
//!
//! There is no default password, and no "first visitor wins": whoever can read the server's terminal
//! or its data directory has the link, and nobody else.

use std::time::Duration;

use doorward_core::account::Role;
use doorward_core::event::EventKind;
use doorward_store::Store;
use doorward_store::act::StoreFailed;
use doorward_wire::{FreshSecret, PresentedSecret};

use super::account::{Application, Entry, RegisterError, enter, prepare};
use super::issue::Welcome;
use crate::App;
use crate::ambient::Ambient;

/// How long a setup link works.
pub const LINK_LIFE: Duration = Duration::from_mins(30);

/// What every setup secret begins with.
pub const PREFIX: &str = "dws_";

/// Draws a new setup secret; the one before it works no longer.
pub async fn draw_link(store: &dyn Store, ambient: &Ambient) -> Result<FreshSecret, StoreFailed> {
    let secret = ambient.secret();
    store.keep_setup(secret.digest(), ambient.now().after(LINK_LIFE)).await?;
    Ok(secret)
}

/// Reads a setup secret with its prefix, or the whole link.
#[must_use]
pub fn read(code: &str) -> Option<PresentedSecret> {
    let text = code.trim().rsplit('#').next()?;
    PresentedSecret::parse(text.strip_prefix(PREFIX)?).ok()
}

/// Spends the setup secret, makes an administrator and signs them in, in one act.
///
/// `code` is the secret with its prefix, or the whole link. It is looked at before the password is,
/// so that nobody without it costs us a hash; and spent with the act, so that of two only one counts.
pub async fn set_up(
    app: &App,
    code: &str,
    application: Application,
    entry: Entry,
) -> Result<Welcome, RegisterError> {
    let secret = read(code).ok_or(RegisterError::LinkSpent)?;
    if !app.store.has_setup(secret.digest(), app.ambient.now()).await? {
        return Err(RegisterError::LinkSpent);
    }
    let (mut new, proven) = prepare(app, application, Role::Administrator).await?;
    new.event.kind = EventKind::SetupCompleted;
    let welcome = enter(app, &mut new, &proven, entry)?;
    app.store.spend_setup(secret.digest(), new, app.ambient.now()).await?;
    Ok(welcome)
}
