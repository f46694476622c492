//! `/.doorward/…` on a site of another domain: its browser goes to sign in, and comes back with a code that
//! gives it the site's own pass. The site's proxy hands these two paths on to us.
//!
//! ```text
//!   https://wiki.example/x ─▶ /.doorward/start ─▶ https://id.example.com/oauth/authorize
//!          ▲                                                    │
//!          └── pass ── https://wiki.example/.doorward/callback ◀┘ code
//! ```
//!
//! # What this module answers
//!
//! - *A third-party cookie*: there is none. The pass is the site's own, and the way is the authorization code
//!   flow with PKCE, of a client that only we can be.
//! - *A code that is put into another's browser* (RFC 9700, section 4.5): it comes with the `state` and needs
//!   the verifier that this browser has on this site.
//! - *An open redirect* (attack 24): on to an address of the same site alone.

use axum::extract::State;
use axum::response::Response;
use doorward_core::client::SITES;
use doorward_core::site::Origin;
use doorward_wire::cookie::{Going, Pass};
use doorward_wire::pkce::{Challenge, METHOD};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Uri};
use percent_encoding::utf8_percent_encode;

use super::onward::OnwardQuery;
use super::see_other;
use crate::App;
use crate::answer::Problem;
use crate::edge::add;
use crate::flow::authorize::{self, CALLBACK};
use crate::request::{Client, Form, Query};
use crate::routes::forward::{self, PLAIN};

/// Where a browser sets out.
const START: &str = "/.doorward/start";

/// Where the browser of a site in another domain sets out for an address of it.
pub(crate) fn way_in(origin: &Origin, url: &str) -> String {
    format!("{origin}{START}?rd={}", utf8_percent_encode(url, PLAIN))
}

/// The site that we were asked on behalf of.
fn site(app: &App, client: &Client, headers: &HeaderMap) -> Result<Origin, Problem> {
    let origin = forward::asked_origin(app, client, headers).ok_or_else(Problem::not_found)?;
    if app.settings.may_lead_to(&origin) && app.settings.is_far(&origin) {
        Ok(origin)
    } else {
        Err(Problem::not_found())
    }
}

/// `GET /.doorward/start`.
pub async fn start(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Query(query): Query<OnwardQuery>,
) -> Result<Response, Problem> {
    let origin = site(&app, &client, &headers)?;
    let way = query.rd.as_deref().and_then(|url| forward::way_back(&app, url));
    let back = way.filter(|(of, _)| *of == origin).map(|(_, url)| url);
    let (state, verifier) = (app.ambient.secret().expose(), app.ambient.secret().expose());
    let challenge = Challenge::of(&verifier).map_err(|_| Problem::internal())?.to_string();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &SITES.to_string())
        .append_pair("redirect_uri", &format!("{origin}{CALLBACK}"))
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", METHOD)
        .finish();
    let back = back.unwrap_or_else(|| format!("{origin}/"));
    let going = Going { state: state.to_string(), verifier, back };
    let mut response =
        see_other(&format!("{}/oauth/authorize?{query}", app.settings.site.issuer()));
    let cookie = going.set(app.settings.site.cookie());
    add(response.headers_mut(), header::SET_COOKIE, &cookie);
    Ok(response)
}

/// `GET /.doorward/callback`.
pub async fn back(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let origin = site(&app, &client, &headers)?;
    let form = app.settings.site.cookie();
    let cookies = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let again = || see_other(&format!("{origin}/"));
    // Somebody else's way, or one from long ago: the site leads in again.
    let Some(going) = Going::read(form, cookies) else { return Ok(again()) };
    let query = Form::of_query(uri.query().unwrap_or_default())?;
    let is_ours = query.given("state") == Some(&*going.state)
        && query.given("iss") == Some(app.settings.site.issuer());
    let way = forward::way_back(&app, &going.back).filter(|(of, _)| *of == origin);
    let (Some(code), Some((_, url)), true) = (query.given("code"), way, is_ours) else {
        return Ok(again());
    };
    let redirect_uri = format!("{origin}{CALLBACK}");
    let from = client.sighting(&headers);
    let known = (&*redirect_uri, &**going.verifier);
    let Some(live) = authorize::redeem_for_site(&app, code, known, from).await? else {
        return Ok(again());
    };
    let now = app.ambient.now();
    if !app.rounds().admits((live.session().sid, &origin), now) {
        return Err(Problem::leads_nowhere());
    }
    let session = live.session();
    let pass = Pass { sid: session.sid, proved_at: session.proved_at };
    let max_age = session.remembered.then(|| live.expires_at().since(now));
    let mut response = see_other(&url);
    let cookie = app.settings.pass_form(&origin).set(app.keys.passes(), pass, max_age);
    add(response.headers_mut(), header::SET_COOKIE, &cookie);
    add(response.headers_mut(), header::SET_COOKIE, &Going::clear(form));
    Ok(response)
}
