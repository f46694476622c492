//! `/account`: who is signed in, where else, and the buttons that end it.

use axum::extract::State;
use axum::response::Response;
use doorward_core::credential::Password;
use doorward_core::session::{Carrier, Device, LiveSession};
use doorward_wire::{SessionId, UnixTime};
use http::StatusCode;
use serde::Deserialize;

use super::login::enter;
use super::view::{self, AccountPage, Notice, SessionRow, Trouble};
use super::{clear_site_data, is_busy, moment, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Caller;
use crate::flow::logout;
use crate::flow::password::{self, Change, ProveError};
use crate::request::{Client, Form, From, MaybeCaller, MaybeSent, Query, SameOrigin};
use crate::routes::shape;

/// The most sessions that the page shows; the API lists them all.
const SHOWN_MAX: usize = 100;

/// What `/account` reads from its query.
#[derive(Deserialize)]
pub struct AccountQuery {
    said: Option<String>,
}

/// What did not work in the form that changes the password.
#[derive(Default)]
struct Fault {
    current: Option<String>,
    new: Option<String>,
    busy: bool,
    keep_others: bool,
}

/// `GET /account`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other("/login?return_to=/account")) };
    let notice = query.said.as_deref().and_then(Notice::parse);
    draw(&app, &caller, StatusCode::OK, (notice, &Fault::default())).await
}

/// `POST /account/sessions/end`.
pub async fn end_one(
    State(app): State<App>,
    _: SameOrigin,
    client: Client,
    MaybeSent(caller, form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other("/login?said=ended")) };
    let sid: SessionId = form.text("sid").parse().map_err(|_| Problem::not_found())?;
    match logout::end_one(&app, &caller, sid, &client.ip).await {
        // Ended meanwhile, in another tab say: what the button promises is true.
        Ok(()) | Err(logout::EndError::NotYours) => {}
        Err(error @ logout::EndError::Store(_)) => return Err(error.into()),
    }
    if sid == caller.sid() {
        let mut response = see_other("/login?said=signed-out");
        shape::clear_cookie(&app, &mut response);
        clear_site_data(response.headers_mut());
        return Ok(response);
    }
    Ok(see_other(&said(Notice::SessionEnded)))
}

/// `POST /account/sessions/end-others`.
pub async fn end_others(
    State(app): State<App>,
    _: SameOrigin,
    client: Client,
    MaybeCaller(caller): MaybeCaller,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other("/login?said=ended")) };
    logout::end_others(&app, &caller, &client.ip).await?;
    Ok(see_other(&said(Notice::OthersEnded)))
}

/// `POST /account/password`.
pub async fn change_password(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    MaybeSent(caller, mut form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other("/login?said=ended")) };
    let keep_others = !form.ticked("end_other_sessions");
    let change = Change {
        current: Password::from(form.take("current")),
        new: Password::from(form.take("new")),
        keep_others,
    };
    let error = match password::change(&app, &caller, change, device).await {
        Ok(welcome) => {
            let notice = if keep_others {
                Notice::PasswordChanged
            } else {
                Notice::PasswordChangedAndOthersEnded
            };
            return Ok(enter(&app, &welcome, &said(notice)));
        }
        Err(error) => error,
    };
    let new = match &error {
        ProveError::Unacceptable(refusal) => Some(refusal.to_string()),
        _ => None,
    };
    let wrong = matches!(error, ProveError::Wrong);
    let problem = Problem::from(error);
    let current = wrong.then(|| problem.detail.clone());
    let fault = Fault { current, new, busy: is_busy(&problem), keep_others };
    if fault.current.is_none() && fault.new.is_none() && !fault.busy {
        return Err(problem);
    }
    draw(&app, &caller, problem.status, (None, &fault)).await
}

fn signed_in(caller: Option<Caller>) -> Option<Caller> {
    caller.filter(|caller| caller.live().account().is_some())
}

fn said(notice: Notice) -> String {
    format!("/account?said={}", notice.code())
}

async fn draw(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    (notice, fault): (Option<Notice>, &Fault),
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let now = app.ambient.now();
    let listed = app.store.sessions_of(account.id, None, SHOWN_MAX).await?;
    let mut others: Vec<(UnixTime, SessionRow)> = listed
        .items
        .into_iter()
        .filter(|found| found.session.sid != caller.sid())
        .filter_map(|found| found.check(&app.settings.lifetimes, now).ok())
        .map(|(live, device)| (live.session().seen_at, row(&live, &device, now)))
        .collect();
    others.sort_by_key(|(seen_at, _)| std::cmp::Reverse(*seen_at));
    let template = AccountPage {
        notice,
        trouble: fault.busy.then_some(Trouble::Busy),
        username: account.username.as_str(),
        email: account.email.as_ref().map(doorward_core::account::Email::as_str),
        role: match account.role {
            doorward_core::account::Role::Member => "Member",
            doorward_core::account::Role::Administrator => "Administrator",
        },
        current: row(caller.live(), caller.device(), now),
        others: others.into_iter().map(|(_, row)| row).collect(),
        password_min: app.settings.password.length_min().into(),
        current_problem: fault.current.as_deref(),
        new_problem: fault.new.as_deref(),
        end_other_sessions: !fault.keep_others,
    };
    Ok(page(status, &template))
}

fn row(live: &LiveSession, device: &Device, now: UnixTime) -> SessionRow {
    let session = live.session();
    SessionRow {
        sid: session.sid.to_string(),
        label: device.label.clone(),
        ip: device.ip.clone(),
        carrier: match session.carrier {
            Carrier::Cookie => view::Carrier::Cookie,
            Carrier::Token => view::Carrier::Token,
        },
        proof: "Password".to_owned(),
        opened: moment(session.opened_at, now),
        seen: moment(session.seen_at, now),
        expires: moment(live.expires_at(), now),
    }
}
