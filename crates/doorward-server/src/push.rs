//! Pushing signals to their receivers (RFC 8935): the one place from which we call out.
//!
//! # What this module answers
//!
//! - *A receiver that is one of our own machines* (attack 68): a name is resolved, each of its addresses is
//!   looked at, and the connection goes to one that was. Loopback, private, link-local and shared ranges
//!   are nobody's receiver, except this machine's in development.
//! - *A receiver that leads elsewhere*: no redirect is followed.
//! - *A receiver that stalls, or answers without end*: ten seconds, and 64 KiB.
//! - *A receiver that is away*: what it has not taken waits for seven days, and is sent again after pauses
//!   that grow to five minutes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorward_core::signal::Stream;
use doorward_wire::StreamId;
use doorward_wire::secevent::MEDIA_TYPE;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::App;
use crate::flow::signal;
use crate::settings::Site;

/// How often it is looked whether there is something to send.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
const ANSWER_MAX: usize = 64 * 1024;

/// The longest pause before a receiver is tried again.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// How many signals are sent to a receiver before the next receiver has its turn.
const AT_ONCE: usize = 20;

/// Why something was not delivered.
#[derive(Debug, thiserror::Error)]
enum NotDelivered {
    #[error("not an address that anything is sent to")]
    Address,
    #[error("it leads to this network, and to nobody's receiver")]
    Near,
    #[error("no connection: {0}")]
    Connection(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer in time")]
    Late,
    #[error("status {0}")]
    Status(StatusCode),
    #[error("TLS cannot be set up")]
    Tls,
}

/// When a receiver that did not take something is tried again.
struct Pause {
    length: Duration,
    over_at: Instant,
}

/// Pushes signals for ever.
pub async fn run(app: App) {
    let mut pauses: HashMap<StreamId, Pause> = HashMap::new();
    let mut tick = tokio::time::interval(LOOKED_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !app.store.has_turn() {
            continue;
        }
        let streams = match app.store.push_streams().await {
            Ok(streams) => streams,
            Err(failure) => {
                tracing::error!(%failure, "no signals are pushed: it will be tried again");
                continue;
            }
        };
        pauses.retain(|id, _| streams.iter().any(|stream| stream.id == *id));
        for stream in streams {
            if pauses.get(&stream.id).is_some_and(|pause| Instant::now() < pause.over_at) {
                continue;
            }
            match send_waiting(&app, &stream).await {
                Ok(()) => drop(pauses.remove(&stream.id)),
                Err(error) => {
                    tracing::warn!(stream = %stream.id, error, "a receiver took no signal");
                    let before = pauses.get(&stream.id).map_or(LOOKED_EVERY, |it| it.length);
                    let length = (before * 2).min(PAUSE_MAX);
                    let over_at = Instant::now() + length;
                    pauses.insert(stream.id, Pause { length, over_at });
                }
            }
        }
    }
}

/// Sends what waits for a receiver, in order, until one is not taken.
async fn send_waiting(app: &App, stream: &Stream) -> Result<(), String> {
    let endpoint = stream.endpoint.as_deref().unwrap_or_default();
    let waiting = signal::waiting(app, stream, AT_ONCE).await;
    let (told, _) = waiting.map_err(|error| error.to_string())?;
    for (name, text) in told {
        let sent = tokio::time::timeout(PATIENCE, deliver(app, endpoint, text)).await;
        match sent.unwrap_or(Err(NotDelivered::Late)) {
            Ok(()) => {}
            // It heard, and cannot use it (RFC 8935, section 2.4): it never will.
            Err(NotDelivered::Status(StatusCode::BAD_REQUEST)) => {
                tracing::warn!(stream = %stream.id, %name, "a receiver could not use an event");
            }
            Err(error) => return Err(error.to_string()),
        }
        let heard = std::iter::once(&*name);
        signal::acknowledge(app, stream, heard).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn deliver(app: &App, endpoint: &str, text: String) -> Result<(), NotDelivered> {
    let uri: Uri = endpoint.parse().map_err(|_| NotDelivered::Address)?;
    let authority = uri.authority().ok_or(NotDelivered::Address)?;
    let is_secure = uri.scheme_str() == Some("https");
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let may_be_near = matches!(app.settings.site, Site::Development { .. });
    let address = far_address((&host, port), may_be_near).await?;
    let stream = TcpStream::connect(address).await?;
    let target = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
    let request = Request::post(target)
        .header(header::HOST, authority.as_str())
        .header(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))
        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(text)))
        .map_err(|_| NotDelivered::Address)?;
    let status = if is_secure {
        let name = ServerName::try_from(host).map_err(|_| NotDelivered::Address)?;
        let connector = TlsConnector::from(trusting()?);
        ask(connector.connect(name, stream).await?, request).await?
    } else {
        ask(stream, request).await?
    };
    match status {
        StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
        other => Err(NotDelivered::Status(other)),
    }
}

/// An address of a name that is not near. It is the one that is connected to: a name that says another
/// thing the next moment (DNS rebinding) changes nothing.
async fn far_address(
    (host, port): (&str, u16),
    may_be_near: bool,
) -> Result<SocketAddr, NotDelivered> {
    let mut found = tokio::net::lookup_host((host, port)).await?;
    found.find(|address| may_be_near || is_far(address.ip())).ok_or(NotDelivered::Near)
}

/// Whether an address is one of the Internet at large.
fn is_far(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_special =
                a == 0 || a >= 240 || (a, b, c) == (192, 0, 0) || (a == 198 && b & 0xFE == 18);
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || is_shared
                || is_special)
        }
        // Global unicast, without documentation, translation and tunnels to addresses of the other kind.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let is_tunnel = first == 0x2002 || (first == 0x2001 && second < 0x0200);
            first & 0xE000 == 0x2000 && !is_tunnel && (first, second) != (0x2001, 0x0db8)
        }
    }
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, NotDelivered>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender. What goes wrong on it, the sender is told.
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    // What it says besides is not needed, and must not go on for ever.
    drop(Limited::new(body, ANSWER_MAX).collect().await);
    Ok(head.status)
}

fn trusting() -> Result<Arc<ClientConfig>, NotDelivered> {
    static CONFIG: std::sync::OnceLock<Option<Arc<ClientConfig>>> = std::sync::OnceLock::new();
    let made = CONFIG.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(store)
            .with_no_client_auth();
        Some(Arc::new(config))
    });
    made.clone().ok_or(NotDelivered::Tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_nobodys_receiver() {
        for near in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_far(near.parse().unwrap()), "{near}");
        }
        for far in ["1.1.1.1", "93.184.216.34", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_far(far.parse().unwrap()), "{far}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_called() {
        for host in ["localhost", "127.0.0.1", "::1"] {
            let refused = far_address((host, 443), false).await;
            assert!(matches!(refused, Err(NotDelivered::Near)), "{host}: {refused:?}");
        }
        assert!(far_address(("127.0.0.1", 443), true).await.is_ok(), "in development");
    }
}
