//! A device with a key, and the browser on it that knows what to do when a session is to be bound.

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward::entropy::SystemEntropy;
use doorward_server::ambient::Entropy;
use doorward_wire::KeyId;
use doorward_wire::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::browser::Browser;
use super::client::Request;
use super::reply::Reply;
use super::server::{Member, Server};

/// A device's key, in software.
pub(crate) struct Device(SigningKey);

/// A bound session, as its browser knows it.
pub(crate) struct Bound {
    /// The browser, with both cookies.
    pub(crate) browser: Browser,
    /// The session.
    pub(crate) sid: String,
    /// The challenge that the last answer carried.
    pub(crate) challenge: String,
}

impl Device {
    /// A device that signs by ES256, as most do.
    pub(crate) fn new() -> Self {
        Self::by(Algorithm::Es256)
    }

    /// A device that signs by this algorithm.
    pub(crate) fn by(algorithm: Algorithm) -> Self {
        let material = SystemEntropy::default().signing_key(algorithm).unwrap();
        Self(SigningKey::from_material(KeyId(1), algorithm, &material).unwrap())
    }

    /// Its algorithm's name.
    pub(crate) fn alg(&self) -> &'static str {
        self.0.algorithm().name()
    }

    /// Its public key, as Chromium writes it.
    pub(crate) fn jwk(&self) -> Value {
        let jwk = serde_json::to_value(self.0.public_jwk().unwrap()).unwrap();
        let Value::Object(mut jwk) = jwk else { panic!("a key is an object") };
        jwk.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
        Value::Object(jwk)
    }

    /// A token with any header and payload, signed.
    pub(crate) fn token(&self, header: &Value, payload: &Value) -> String {
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let token = format!("{}.{}", part(header), part(payload));
        let signature = self.0.sign(token.as_bytes()).unwrap();
        format!("{token}.{}", Base64UrlUnpadded::encode_string(&signature))
    }

    /// The proof that brings the key.
    pub(crate) fn first(&self, challenge: &str) -> String {
        let header = json!({ "alg": self.alg(), "jwk": self.jwk(), "typ": "dbsc+jwt" });
        self.token(&header, &json!({ "jti": challenge }))
    }

    /// The proof that shows it again.
    pub(crate) fn next(&self, challenge: &str) -> String {
        let header = json!({ "alg": self.alg(), "typ": "dbsc+jwt" });
        self.token(&header, &json!({ "jti": challenge }))
    }

    /// Signs in by cookie, and binds the session to this device, as Chromium does at once.
    pub(crate) async fn sign_in(&self, server: &Server, member: &Member) -> Bound {
        let browser = server.browser();
        let login = server.sign_in_with(&browser, member, json!({})).await.must_be(200);
        let challenge = offered(&login).expect("an offer to bind the session");
        let bound = browser.send(registration(&browser, &self.first(&challenge))).await;
        let sid = login.json()["session"]["sid"].as_str().unwrap().to_owned();
        let challenge = challenged(&bound.must_be(200)).expect("the next challenge");
        Bound { browser, sid, challenge }
    }
}

impl Bound {
    /// Shows that the device has its key, with the challenge at hand.
    pub(crate) async fn refresh(&mut self, device: &Device) -> Reply {
        let request = refreshing(&self.browser, &self.sid, Some(&device.next(&self.challenge)));
        let reply = self.browser.send(request).await;
        if let Some(challenge) = challenged(&reply) {
            self.challenge = challenge;
        }
        reply
    }
}

/// The request in which a browser brings its key.
pub(crate) fn registration(browser: &Browser, proof: &str) -> Request {
    browser.request("POST", "/dbsc/register").header("secure-session-response", proof)
}

/// The request in which a browser shows its key again.
pub(crate) fn refreshing(browser: &Browser, sid: &str, proof: Option<&str>) -> Request {
    let request = browser.request("POST", "/dbsc/refresh").header("sec-secure-session-id", sid);
    match proof {
        Some(proof) => request.header("secure-session-response", proof),
        None => request,
    }
}

/// The challenge in an offer to bind a session.
#[track_caller]
pub(crate) fn offered(reply: &Reply) -> Option<String> {
    let offer = reply.header("secure-session-registration")?;
    let begin = "(ES256 RS256);path=\"/dbsc/register\";challenge=\"";
    let rest = offer.strip_prefix(begin).unwrap_or_else(|| panic!("{offer}"));
    Some(rest.strip_suffix('"').unwrap_or_else(|| panic!("{offer}")).to_owned())
}

/// The challenge that the next proof must be over.
#[track_caller]
pub(crate) fn challenged(reply: &Reply) -> Option<String> {
    let text = reply.header("secure-session-challenge")?;
    let (challenge, rest) = text.strip_prefix('"')?.split_once('"')?;
    assert!(rest.starts_with(";id=\"ses_"), "{text}");
    Some(challenge.to_owned())
}
