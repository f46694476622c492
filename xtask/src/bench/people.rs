//! The people of a measurement: accounts with passwords, and the sessions they open.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::client::{self, Answer, Client};
use crate::step::{self, Failure, Outcome};

/// How many sign in at once: more than there are cores, fewer than may wait.
const AT_ONCE: usize = 8;

/// What a session is carried by.
#[derive(Clone, Copy)]
pub(super) enum Carrier {
    Cookie,
    Token,
}

impl Carrier {
    /// The word for it in a login.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Token => "token",
        }
    }

    /// The header field that proves a session later.
    fn field(self, answer: &Answer) -> Option<String> {
        match self {
            Self::Cookie => Some(format!("Cookie: {}", answer.cookie.as_ref()?)),
            Self::Token => {
                let token = answer.body.get("access_token")?.as_str()?;
                Some(format!("Authorization: Bearer {token}"))
            }
        }
    }
}

/// Makes accounts, numbered from nought.
pub(super) fn register(address: &str, count: usize) -> Outcome {
    side_by_side(address, count, |client, number| {
        let body = json!({ "username": username(number), "password": password(number) });
        let answer = client.send(client::post("/api/v1/accounts", &body).as_bytes())?;
        expect(&answer, 201, "an account")
    })?;
    Ok(())
}

/// Opens sessions, each by a login, and returns the header fields that prove them.
pub(super) fn sign_in(
    address: &str,
    carrier: Carrier,
    account_count: usize,
    session_count: usize,
) -> Outcome<Vec<String>> {
    side_by_side(address, session_count, |client, number| {
        let answer = client.send(login(carrier, number % account_count).as_bytes())?;
        expect(&answer, 200, "a login")?;
        carrier.field(&answer).ok_or_else(|| Failure::new("a login that proves nothing"))
    })
}

/// Opens sessions by token, and returns their refresh tokens.
pub(super) fn refresh_tokens(
    address: &str,
    account_count: usize,
    session_count: usize,
) -> Outcome<Vec<String>> {
    side_by_side(address, session_count, |client, number| {
        let answer = client.send(login(Carrier::Token, number % account_count).as_bytes())?;
        expect(&answer, 200, "a login")?;
        let token = answer.body.get("refresh_token").and_then(|token| token.as_str());
        Ok(token.ok_or_else(|| Failure::new("a login without a refresh token"))?.to_owned())
    })
}

/// Makes a client that may ask about tokens, and returns the form fields that show it.
pub(super) fn client(data: &Path, address: &str) -> Outcome<String> {
    let (program, data) = (super::server::built("doorward"), data.to_string_lossy().into_owned());
    let port = address.rsplit(':').next().unwrap_or_default();
    let own = format!("http://localhost:{port}");
    let words = [
        &*program.to_string_lossy(),
        "client",
        "add",
        "bench",
        "--json",
        "--serves",
        &own,
        "--data",
        &data,
    ]
    .map(str::to_owned);
    let said =
        step::read(&mut step::command(&words.iter().map(|word| &**word).collect::<Vec<_>>()))?;
    let made: serde_json::Value = serde_json::from_str(&said)
        .map_err(|_| Failure::new(format!("client add printed {said:?}")))?;
    match (made["id"].as_str(), made["secret"].as_str()) {
        (Some(id), Some(secret)) => Ok(format!("client_id={id}&client_secret={secret}")),
        _ => Err(Failure::new(format!("client add printed {said:?}"))),
    }
}

/// A question about the token of an `Authorization` field, whole.
pub(super) fn introspection(fields: &str, authorization: &str) -> String {
    let token = authorization.rsplit(' ').next().unwrap_or_default();
    let body = format!("{fields}&token={token}");
    format!(
        "POST /oauth/introspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The login of one account, whole.
pub(super) fn login(carrier: Carrier, number: usize) -> String {
    let body = json!({
        "username": username(number), "password": password(number), "carrier": carrier.word()
    });
    client::post("/api/v1/login", &body)
}

fn username(number: usize) -> String {
    format!("visitor-{number}")
}

fn password(number: usize) -> String {
    format!("a long walk to measurement {number}")
}

fn expect(answer: &Answer, status: u16, what: &str) -> Outcome {
    if answer.status == status {
        return Ok(());
    }
    Err(Failure::new(format!("{what} was answered with {}: {}", answer.status, answer.body)))
}

/// Does the same for each number below `count`, a few at once, and stops at the first failure.
fn side_by_side<T: Send>(
    address: &str,
    count: usize,
    work: impl Fn(&mut Client, usize) -> Outcome<T> + Sync,
) -> Outcome<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let one = || -> Outcome {
        let mut client = Client::connect(address)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let made = work(&mut client, number).inspect_err(|_| {
                next.store(count, Ordering::Relaxed);
            })?;
            done.lock().expect("no holder of this lock panics").push(made);
        }
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        all.into_iter().try_for_each(|each| each.join().expect("a client does not panic"))
    })?;
    Ok(done.into_inner().expect("no holder of this lock panics"))
}
