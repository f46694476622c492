//! A browser: a client that keeps its cookie and says which page it comes from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use doorward_wire::dbsc;
use serde_json::Value;

use super::client::{Client, Request};
use super::reply::Reply;

/// A browser with one cookie jar. A clone shares the jar, as two tabs do.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    client: Client,
    jar: Arc<Mutex<Jar>>,
}

/// Cookies by name: the session's, and beside it the bound one.
type Jar = BTreeMap<String, String>;

impl Browser {
    /// An empty browser whose pages come from `origin`.
    pub(crate) fn new(client: Client, origin: &str) -> Self {
        let client = client.always("origin", origin).always("sec-fetch-site", "same-origin");
        Self { client, jar: Arc::default() }
    }

    /// Begins a request with the cookie and the origin; [`send`](Self::send) it.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        let request = self.client.request(method, target);
        match self.cookie() {
            Some(cookie) => request.cookie(cookie),
            None => request,
        }
    }

    /// Sends a request and keeps or drops the cookie as the answer says.
    pub(crate) async fn send(&self, request: Request) -> Reply {
        let reply = request.await;
        self.learn(&reply);
        reply
    }

    /// Sends a request as [`send`](Self::send) does, or finds that the server has gone.
    pub(crate) async fn attempt(&self, request: Request) -> Option<Reply> {
        let reply = request.attempt().await?;
        self.learn(&reply);
        Some(reply)
    }

    fn learn(&self, reply: &Reply) {
        let mut jar = self.jar.lock().unwrap();
        for set in reply.set_cookies() {
            if set.clears() {
                jar.remove(&set.name);
            } else {
                jar.insert(set.name, set.value);
            }
        }
    }

    /// `GET`.
    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send(self.request("GET", target)).await
    }

    /// `POST` without a body.
    pub(crate) async fn post(&self, target: &str) -> Reply {
        self.send(self.request("POST", target)).await
    }

    /// `POST` of JSON.
    pub(crate) async fn post_json(&self, target: &str, value: &Value) -> Reply {
        self.send(self.request("POST", target).json(value)).await
    }

    /// `POST` of a form.
    pub(crate) async fn post_form(&self, target: &str, pairs: &[(&str, &str)]) -> Reply {
        self.send(self.request("POST", target).form(pairs)).await
    }

    /// `PUT` of JSON.
    pub(crate) async fn put_json(&self, target: &str, value: &Value) -> Reply {
        self.send(self.request("PUT", target).json(value)).await
    }

    /// `DELETE`.
    pub(crate) async fn delete(&self, target: &str) -> Reply {
        self.send(self.request("DELETE", target)).await
    }

    /// The cookies as they are sent, `name=value`, if there are any.
    pub(crate) fn cookie(&self) -> Option<String> {
        let jar = self.jar.lock().unwrap();
        let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The bound cookie's value, if there is one.
    pub(crate) fn ticket(&self) -> Option<String> {
        self.jar.lock().unwrap().get(dbsc::COOKIE).cloned()
    }

    /// Puts another value in the place of the bound cookie, or takes it away.
    pub(crate) fn plant_ticket(&self, value: Option<&str>) {
        let mut jar = self.jar.lock().unwrap();
        jar.remove(dbsc::COOKIE);
        jar.extend(value.map(|value| (dbsc::COOKIE.to_owned(), value.to_owned())));
    }

    /// The secret in the cookie.
    #[track_caller]
    pub(crate) fn secret(&self) -> String {
        let jar = self.jar.lock().unwrap();
        let mut values = jar.iter().filter(|(name, _)| *name != dbsc::COOKIE);
        values.next().expect("the browser has no cookie").1.clone()
    }

    /// Another browser with a copy of this one's cookie, as a thief has, or a tab before a change.
    pub(crate) fn copy(&self) -> Self {
        let jar = self.jar.lock().unwrap().clone();
        Self { client: self.client.clone(), jar: Arc::new(Mutex::new(jar)) }
    }

    /// This browser with a copy of that one's cookie.
    pub(crate) fn with_cookie_of(self, other: &Self) -> Self {
        let jar = other.jar.lock().unwrap().clone();
        Self { jar: Arc::new(Mutex::new(jar)), ..self }
    }

    /// An empty browser of the same server.
    pub(crate) fn fresh(&self) -> Self {
        Self { client: self.client.clone(), jar: Arc::default() }
    }

    /// The id of the session that the cookie proves.
    pub(crate) async fn sid(&self) -> String {
        let session = self.get("/api/v1/session").await.must_be(200).json();
        session["session"]["sid"].as_str().unwrap().to_owned()
    }

    /// Whether the cookie counts: 200 and 401 are the only answers.
    pub(crate) async fn is_signed_in(&self) -> bool {
        let reply = self.get("/api/v1/session").await;
        match reply.status.as_u16() {
            200 => true,
            401 => false,
            _ => panic!("{}", reply.describe()),
        }
    }
}
