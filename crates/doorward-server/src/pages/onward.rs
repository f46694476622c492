//! `/continue`: on to a site behind a proxy, with a pass for it.
//!
//! # What this module answers
//!
//! - *An open redirect* (attack 24): only to a site that is set up, and to an address that is written
//!   anew from what was understood of it.
//! - *A browser that goes in a circle*, because its pass does not reach the site: after some rounds a page
//!   says so.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use doorward_core::site::Origin;
use doorward_wire::cookie::Pass;
use doorward_wire::{SessionId, UnixTime};
use http::header;
use serde::Deserialize;

use super::{far, see_other, view};
use crate::App;
use crate::answer::Problem;
use crate::edge::add;
use crate::flow::identify::Caller;
use crate::request::{MaybeCaller, Query};
use crate::routes::forward;

/// How often a browser may be sent to one site within [`ROUND`] before it is told that this leads nowhere.
const ROUNDS_MAX: u8 = 8;

/// Within how many seconds.
const ROUND: u64 = 20;

/// The most sessions whose rounds are counted.
const COUNTED_MAX: usize = 4096;

/// What these pages read from their query: where to go.
#[derive(Deserialize)]
pub struct OnwardQuery {
    pub(super) rd: Option<String>,
}

/// `GET /continue`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(caller): MaybeCaller<Caller>,
    Query(query): Query<OnwardQuery>,
) -> Result<Response, Problem> {
    let way = query.rd.as_deref().and_then(|url| forward::way_back(&app, url));
    let back = way.as_ref().map(|(_, url)| forward::onward(url));
    let signed_in = caller.filter(|it| !it.is_program() && it.live().account().is_some());
    let Some(caller) = signed_in else {
        return Ok(see_other(&view::link("/login", back.as_deref())));
    };
    let Some((origin, url)) = way else { return Ok(see_other("/account")) };
    let now = app.ambient.now();
    if !app.rounds().admits((caller.sid(), &origin), now) {
        return Err(Problem::leads_nowhere());
    }
    if app.settings.is_far(&origin) {
        return Ok(see_other(&far::way_in(&origin, &url)));
    }
    let mut response = see_other(&url);
    give_pass(&app, &mut response, &caller, &origin);
    Ok(response)
}

/// Gives the browser a pass: the site is near enough for a cookie of ours.
fn give_pass(app: &App, response: &mut Response, caller: &Caller, origin: &Origin) {
    let form = app.settings.pass_form(origin);
    let session = caller.live().session();
    let pass = Pass { sid: session.sid, proved_at: session.proved_at };
    let max_age = session.remembered.then(|| caller.live().expires_at().since(app.ambient.now()));
    let cookie = form.set(app.keys.passes(), pass, max_age);
    add(response.headers_mut(), header::SET_COOKIE, &cookie);
}

/// `GET /oauth2/sign_in`: the login page by the name that oauth2-proxy has for it.
pub async fn sign_in(State(app): State<App>, Query(query): Query<OnwardQuery>) -> Response {
    let path = query.rd.as_deref().and_then(|url| path_to(&app, url));
    see_other(&view::link("/login", path.as_deref()))
}

/// `GET /oauth2/sign_out`: the logout page by the name that oauth2-proxy has for it. Nothing is ended
/// by a link (attack 67).
pub async fn sign_out(Query(_): Query<OnwardQuery>) -> Response {
    Redirect::to("/logout").into_response()
}

/// The path of ours that leads on to an address, if it is one of a site.
pub(super) fn path_to(app: &App, url: &str) -> Option<String> {
    forward::way_back(app, url).map(|(_, url)| forward::onward(&url))
}

/// The site that a path of ours leads on to, if it does.
pub(super) fn site_behind(app: &App, path: &str) -> Option<Origin> {
    let encoded = path.strip_prefix("/continue?rd=")?;
    let url = percent_encoding::percent_decode_str(encoded).decode_utf8().ok()?;
    forward::way_back(app, &url).map(|(origin, _)| origin)
}

/// How often browsers were sent to sites of late.
#[derive(Debug, Default)]
pub(crate) struct Rounds(parking_lot::Mutex<HashMap<(SessionId, Origin), (UnixTime, u8)>>);

impl Rounds {
    pub(super) fn admits(&self, (sid, origin): (SessionId, &Origin), now: UnixTime) -> bool {
        let mut counted = self.0.lock();
        let is_old = |since: UnixTime| now >= UnixTime(since.0 + ROUND);
        if counted.len() >= COUNTED_MAX {
            counted.retain(|_, (since, _)| !is_old(*since));
        }
        if counted.len() >= COUNTED_MAX {
            return true;
        }
        let (since, rounds) = counted.entry((sid, origin.clone())).or_insert((now, 0));
        if is_old(*since) {
            (*since, *rounds) = (now, 0);
        }
        *rounds = rounds.saturating_add(1);
        *rounds <= ROUNDS_MAX
    }
}
