//! `/account/activity`: what happened to one's account.

use axum::extract::State;
use axum::response::Response;
use doorward_core::event::Event;
use doorward_wire::{EventId, UnixTime};
use http::StatusCode;
use serde::Deserialize;

use super::view::{ActivityPage, EventRow, NoticeRow, Visitor, Whence};
use super::{moment, page, see_other};
use crate::answer::Problem;
use crate::flow::identify::Caller;
use crate::flow::notice;
use crate::request::{MaybeCaller, Query};
use crate::{App, words};

/// How many events a page has.
const PAGE: usize = 25;

/// How many notices stand on top of a page. The next come up when these are answered.
const NOTICES: usize = 3;

/// What `/account/activity` reads from its query.
#[derive(Deserialize)]
pub struct ActivityQuery {
    before: Option<String>,
}

/// `GET /account/activity`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<ActivityQuery>,
) -> Result<Response, Problem> {
    let caller = caller.filter(|caller| caller.live().account().is_some());
    let Some(caller) = caller else { return Ok(see_other("/login?return_to=/account/activity")) };
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let before = query.before.map(|text| text.parse::<EventId>()).transpose();
    let before = before.map_err(|_| Problem::not_found())?;
    let now = app.ambient.now();
    let listed = app.store.events_of(account.id, before, PAGE).await?;
    let (notices, more_notices) = notices(&app, &caller).await?;
    let older = listed.items.last().filter(|_| listed.more).map(|event| event.id.to_string());
    let row = |event: &Event| EventRow {
        what: words::of_event(event),
        at: moment(event.at, now),
        from: whence(&app, event),
    };
    let template = ActivityPage {
        visitor: Visitor { username: account.username.as_str(), account: &account.id.to_string() },
        notices,
        more_notices,
        events: listed.items.iter().map(row).collect(),
        is_later_page: before.is_some(),
        older,
    };
    Ok(page(StatusCode::OK, &template))
}

/// The newest notices for the caller's eyes, and whether there are more.
pub(super) async fn notices(app: &App, caller: &Caller) -> Result<(Vec<NoticeRow>, bool), Problem> {
    let open = notice::open(app, caller, None, NOTICES).await?;
    let now: UnixTime = app.ambient.now();
    let row = |event: &Event| NoticeRow {
        id: event.id.to_string(),
        what: words::of_event(event),
        at: moment(event.at, now),
        from: whence(app, event),
    };
    Ok((open.items.iter().map(row).collect(), open.next.is_some()))
}

fn whence(app: &App, event: &Event) -> Whence {
    Whence {
        device: event.device.clone(),
        place: event.ip.as_deref().and_then(|ip| app.place_in_words(ip)),
        ip: event.ip.clone(),
    }
}
