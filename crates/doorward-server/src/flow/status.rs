//! Status lists: a place for each token, and what each list says.

use std::collections::HashMap;
use std::sync::Arc;

use doorward_core::revocation::PlacedToken;
use doorward_store::act::StoreFailed;
use doorward_wire::UnixTime;
use doorward_wire::status_list::{LENGTH, Place, Status, StatusList};

use super::issue::{self, IssueError};
use crate::App;

/// Where the lists are.
pub const PATH: &str = "/status-lists";

/// The most lists that are remembered. Tokens live five minutes: more are not asked for.
const SAID_MAX: usize = 64;

/// What was said of late: each list is made once a second at the most, however many ask.
#[derive(Debug, Default)]
pub(crate) struct SaidLists(parking_lot::Mutex<HashMap<u64, (UnixTime, Arc<str>)>>);

/// The address of a list.
#[must_use]
pub fn uri(app: &App, number: u64) -> String {
    format!("{}{PATH}/{number}", app.settings.site.issuer())
}

/// Gives a token its place, if tokens have one.
pub async fn place(app: &App, token: PlacedToken) -> Result<Option<Status>, StoreFailed> {
    if !app.settings.status_list {
        return Ok(None);
    }
    let place = app.store.place_token(token).await?;
    let status_list = Place { idx: place % LENGTH, uri: uri(app, place / LENGTH) };
    Ok(Some(Status { status_list }))
}

/// The numbers of the lists that tokens of now are in.
pub async fn numbers(app: &App) -> Result<std::ops::Range<u64>, StoreFailed> {
    if !app.settings.status_list {
        return Ok(0..0);
    }
    let count = app.store.place_count().await?;
    Ok(0..count.div_ceil(LENGTH))
}

/// A list as of now, signed; `None` if there is no such list.
pub async fn list(app: &App, number: u64) -> Result<Option<Arc<str>>, IssueError> {
    if !numbers(app).await?.contains(&number) {
        return Ok(None);
    }
    let now = app.ambient.now();
    if let Some((at, text)) = app.said_lists().0.lock().get(&number)
        && *at == now
    {
        return Ok(Some(Arc::clone(text)));
    }
    let first = number * LENGTH;
    let revoked = app.store.revoked_places(first, LENGTH).await?;
    let list = StatusList::of(&uri(app, number), now, revoked.into_iter().map(|it| it - first));
    let key = issue::signing_key(app, app.settings.algorithm, "").await?;
    let text = list.sign(app.settings.site.issuer(), &key).map_err(|_| IssueError::Sign)?;
    let text: Arc<str> = text.into();
    let mut said = app.said_lists().0.lock();
    if said.len() >= SAID_MAX {
        said.clear();
    }
    said.insert(number, (now, Arc::clone(&text)));
    Ok(Some(text))
}
