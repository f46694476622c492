//! `/account`: who is signed in, where else, what they should look at, and the buttons that end it.
//!
//! Every form says for whose account it was drawn. In another tab somebody else may have signed in
//! since: then nothing is done, and the page says so.

use axum::extract::State;
use axum::response::Response;
use doorward_core::account::{Account, Email, Role};
use doorward_core::credential::Password;
use doorward_core::refresh::HangingToken;
use doorward_core::session::{Assurance, Carrier, Device, LiveSession, Method};
use doorward_wire::{EventId, SessionId, UnixTime};
use http::StatusCode;
use serde::Deserialize;

use super::activity::notices;
use super::login::enter;
use super::view::{self, AccountPage, Said, SessionRow, TokenRow, Trouble, Visitor};
use super::{clear_site_data, is_busy, is_drawn_for, moment, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Caller;
use crate::flow::logout;
use crate::flow::notice::{self, Answer, AnswerError, Answered};
use crate::flow::password::{self, Change, ProveError};
use crate::flow::session::{Listing, last_token_ends_at, list};
use crate::request::{Form, From, MaybeCaller, MaybeForm, MaybeSent, Query, SameOrigin};
use crate::routes::shape;

/// How many other sessions a page shows.
const PAGE: usize = 10;

/// Where somebody goes whose session ended before their form arrived.
pub(super) const ENDED: &str = "/login?said=ended&return_to=/account";

/// What `/account` reads from its query.
#[derive(Deserialize)]
pub struct AccountQuery {
    said: Option<String>,
    after: Option<String>,
}

/// What a page says beside what it always shows.
#[derive(Default)]
struct Telling {
    said: Option<Said>,
    after: Option<SessionId>,
    current: Option<String>,
    new: Option<String>,
    busy: bool,
    another_account: bool,
    keep_others: bool,
}

/// `GET /account`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other("/login?return_to=/account")) };
    let said = query.said.as_deref().and_then(Said::parse);
    let after = query.after.map(|text| text.parse()).transpose();
    let after = after.map_err(|_| Problem::not_found())?;
    let telling = Telling { said, after, ..Telling::default() };
    draw(&app, &caller, StatusCode::OK, &telling).await
}

/// `GET` of what the other forms post to. A page that came back with a problem has such an address, and
/// may be loaded again.
pub async fn to_account(MaybeCaller(caller): MaybeCaller) -> Response {
    see_other(if signed_in(caller).is_some() { "/account" } else { "/login?return_to=/account" })
}

/// `GET /account/password`: the same, and the form is on the account's page.
pub async fn to_password(MaybeCaller(caller): MaybeCaller) -> Response {
    match signed_in(caller) {
        Some(_) => see_other("/account#change"),
        None => see_other("/login?return_to=/account"),
    }
}

/// `POST /account/sessions/end`.
pub async fn end_one(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other(ENDED)) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    let sid: SessionId = form.text("sid").parse().map_err(|_| Problem::not_found())?;
    match logout::end_one(&app, &caller, sid, &from).await {
        // Ended meanwhile, in another tab say: what the button promises is true.
        Ok(()) | Err(logout::EndError::NotYours) => {}
        Err(error @ logout::EndError::Store(_)) => return Err(error.into()),
    }
    if sid == caller.sid() {
        return Ok(signed_out(&app, "/login?said=signed-out"));
    }
    // On to the same page of the list: there may be more to end.
    let after: Option<SessionId> = form.text("after").parse().ok();
    let after = after.map(|sid| format!("&after={sid}")).unwrap_or_default();
    Ok(see_other(&(said(Said::SessionEnded) + &after)))
}

/// `POST /account/sessions/end-others`.
pub async fn end_others(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, MaybeForm(form)): MaybeSent<MaybeForm>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other(ENDED)) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    logout::end_others(&app, &caller, &from).await?;
    Ok(see_other(&said(Said::OthersEnded)))
}

/// `POST /account/sessions/end-all`: the session that asks ends too.
pub async fn end_all(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, MaybeForm(form)): MaybeSent<MaybeForm>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other(ENDED)) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    logout::end_all(&app, &caller, &from).await?;
    Ok(signed_out(&app, "/login?said=signed-out-everywhere"))
}

/// `POST /account/notices`: "this was me", or not.
pub async fn answer(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(see_other(ENDED)) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    let id: EventId = form.text("id").parse().map_err(|_| Problem::not_found())?;
    let answer = match form.text("was_me") {
        "1" => Answer::Me,
        "0" => Answer::NotMe,
        _ => return Err(Problem::malformed("A notice is answered with 1 or 0.")),
    };
    match notice::answer(&app, &caller, (id, answer), &from).await {
        // Answered before, perhaps with "this was me", and perhaps by a thief: what the next page says
        // has to be true.
        Err(AnswerError::NotOpen) if answer == Answer::NotMe => {
            logout::end_others(&app, &caller, &from).await?;
        }
        Ok(Answered::StillIn) | Err(AnswerError::NotOpen) => {}
        Ok(Answered::SignedOut) => {
            let path = "/login?said=not-me&return_to=/account?said=not-me%23change";
            return Ok(signed_out(&app, path));
        }
        Err(error @ AnswerError::Store(_)) => return Err(error.into()),
    }
    // Pressed twice, or answered in another tab: where the answer leads is the same.
    Ok(match answer {
        Answer::Me => see_other(&said(Said::WasMe)),
        Answer::NotMe => see_other(&(said(Said::NotMe) + "#change")),
    })
}

/// `POST /account/password`.
pub async fn change_password(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    MaybeSent(caller, mut form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    // A token's session would get new tokens, which a page cannot hand over.
    let caller = signed_in(caller).filter(|caller| caller.carrier() == Carrier::Cookie);
    let Some(caller) = caller else { return Ok(see_other(ENDED)) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    let keep_others = !form.ticked("end_other_sessions");
    let change = Change {
        current: Password::from(form.take("current")),
        new: Password::from(form.take("new")),
        keep_others,
    };
    let error = match password::change(&app, &caller, change, device).await {
        Ok(welcome) => {
            let notice = if keep_others {
                Said::PasswordChanged
            } else {
                Said::PasswordChangedAndOthersEnded
            };
            return Ok(enter(&app, &welcome, &said(notice)));
        }
        // Signed out while the password was being checked.
        Err(ProveError::Gone) => return Ok(see_other(ENDED)),
        Err(error) => error,
    };
    let new = match &error {
        ProveError::Unacceptable(refusal) => Some(refusal.to_string()),
        _ => None,
    };
    let wrong = matches!(error, ProveError::Wrong);
    let problem = Problem::from(error);
    let current = wrong.then(|| problem.detail.clone());
    let telling =
        Telling { current, new, busy: is_busy(&problem), keep_others, ..Telling::default() };
    if telling.current.is_none() && telling.new.is_none() && !telling.busy {
        return Err(problem);
    }
    draw(&app, &caller, problem.status, &telling).await
}

fn signed_in(caller: Option<Caller>) -> Option<Caller> {
    caller.filter(|caller| caller.live().account().is_some())
}

fn said(said: Said) -> String {
    format!("/account?said={}", said.code())
}

/// Takes the cookie away from a browser whose session has just ended, and sends it on.
fn signed_out(app: &App, path: &str) -> Response {
    let mut response = see_other(path);
    shape::clear_cookie(app, &mut response);
    clear_site_data(response.headers_mut());
    response
}

/// Does nothing, and says why: the form was another account's.
async fn another_account(app: &App, caller: &Caller) -> Result<Response, Problem> {
    let telling = Telling { another_account: true, ..Telling::default() };
    draw(app, caller, StatusCode::CONFLICT, &telling).await
}

/// A page of the caller's sessions but the one that asks.
async fn others(
    app: &App,
    caller: &Caller,
    account: &Account,
    after: Option<SessionId>,
) -> Result<Listing, Problem> {
    // One more, for the session that asks may be among them.
    let mut listing = list(app, account.id, after, PAGE + 1).await?;
    listing.items.retain(|listed| listed.live.session().sid != caller.sid());
    if listing.items.len() > PAGE {
        listing.items.pop();
        listing.next = listing.items.last().map(|listed| listed.live.session().sid);
    }
    Ok(listing)
}

async fn draw(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    telling: &Telling,
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let now = app.ambient.now();
    let others = others(app, caller, account, telling.after).await?;
    let tokens = app.store.tokens_of(&[caller.sid()]).await?;
    let (notices, more_notices) = notices(app, caller).await?;
    let username = account.username.as_str();
    let trouble = if telling.another_account {
        Some(Trouble::AnotherAccount { username })
    } else {
        telling.busy.then_some(Trouble::Busy)
    };
    let template = AccountPage {
        said: telling.said,
        trouble,
        visitor: Visitor { username, account: &account.id.to_string() },
        email: account.email.as_ref().map(Email::as_str),
        role: match account.role {
            Role::Member => "Member",
            Role::Administrator => "Administrator",
        },
        notices,
        more_notices,
        current: row(app, (caller.live(), caller.device(), &tokens), now),
        others: others
            .items
            .iter()
            .map(|one| row(app, (&one.live, &one.device, &one.tokens), now))
            .collect(),
        after: telling.after.map(|sid| sid.to_string()),
        older: others.next.map(|sid| sid.to_string()),
        password_min: app.settings.password.length_min().into(),
        current_problem: telling.current.as_deref(),
        new_problem: telling.new.as_deref(),
        end_other_sessions: !telling.keep_others,
    };
    Ok(page(status, &template))
}

fn row(
    app: &App,
    (live, device, tokens): (&LiveSession, &Device, &[HangingToken]),
    now: UnixTime,
) -> SessionRow {
    let session = live.session();
    let token = |token: &HangingToken| TokenRow {
        service: match token.grant.audience.as_str() {
            "" => "Doorward itself".to_owned(),
            name => name.to_owned(),
        },
        scope: token.grant.scope.clone(),
        client: token.grant.client.clone(),
        issued: moment(token.issued_at, now),
    };
    let is_proved_again = session.proved_at != session.opened_at;
    SessionRow {
        sid: session.sid.to_string(),
        label: device.label.clone(),
        place: app.place_in_words(&device.ip),
        ip: device.ip.clone(),
        carrier: match session.carrier {
            Carrier::Cookie => view::Carrier::Cookie,
            Carrier::Token => view::Carrier::Token,
        },
        proof: proof(&session.amr, session.acr),
        is_bound: session.bound.is_some(),
        opened: moment(session.opened_at, now),
        proved_again: is_proved_again.then(|| moment(session.proved_at, now)),
        seen: moment(session.seen_at, now),
        expires: moment(live.expires_at(), now),
        last_token_ends: last_token_ends_at(live, tokens).map(|at| moment(at, now)),
        tokens: tokens.iter().map(token).collect(),
    }
}

/// How an owner proved themselves, in words: `Password (one factor)`.
fn proof(amr: &[Method], acr: Assurance) -> String {
    let method = |method: &Method| match method {
        Method::Password => "Password",
    };
    let factors = match acr {
        Assurance::Aal1 => "one factor",
        Assurance::Aal2 => "two factors",
        Assurance::Aal3 => "two factors, one a device that resists phishing",
    };
    let methods: Vec<&str> = amr.iter().map(method).collect();
    format!("{} ({factors})", methods.join(" and "))
}
