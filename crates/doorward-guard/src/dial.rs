//! Requests to the server: a connection, what is sent on it, and how long anybody waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long a connection or an answer's head may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer that is read whole.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Whose certificates the server may show.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those that this machine trusts.
    #[default]
    System,
    /// Only those that these authorities signed: their certificates, in PEM.
    Pem(Vec<u8>),
}

/// Why the server could not be addressed at all.
#[derive(Debug, thiserror::Error)]
pub enum AddressRefused {
    /// The issuer is no origin: `https://id.example.com`, without a path.
    #[error("the issuer is not an origin such as https://id.example.com")]
    NotAnOrigin,
    /// Keys and revocations would travel where anybody can change them.
    #[error("plain http is for this machine only: use https")]
    Insecure,
    /// There is no certificate to trust anybody by.
    #[error("no root certificates could be read")]
    NoRoots,
    /// The library for TLS refused its configuration.
    #[error("TLS could not be set up")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("no connection: {0}")]
    Connection(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer in time")]
    Late,
    #[error("status {0}")]
    Status(http::StatusCode),
    #[error("an answer that is too large, or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("an answer that makes no sense: {0}")]
    Senseless(&'static str),
}

/// Where the server is, and how its certificate is checked.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection to the server. One request at a time.
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    authority: HeaderValue,
}

impl Address {
    pub(crate) fn of(issuer: &str, roots: &Roots) -> Result<Self, AddressRefused> {
        let uri: Uri = issuer.parse().map_err(|_| AddressRefused::NotAnOrigin)?;
        let authority = uri.authority().ok_or(AddressRefused::NotAnOrigin)?;
        let is_origin = uri.path_and_query().is_none_or(|path| path == "/")
            && !issuer.ends_with('/')
            && !authority.as_str().contains('@');
        if !is_origin {
            return Err(AddressRefused::NotAnOrigin);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) | None => return Err(AddressRefused::NotAnOrigin),
        };
        if !is_secure && !is_this_machine(&host) {
            return Err(AddressRefused::Insecure);
        }
        let tls = if is_secure {
            let name =
                ServerName::try_from(host.clone()).map_err(|_| AddressRefused::NotAnOrigin)?;
            Some((TlsConnector::from(Arc::new(trusting(roots)?)), name))
        } else {
            None
        };
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let authority =
            HeaderValue::from_str(authority.as_str()).map_err(|_| AddressRefused::NotAnOrigin)?;
        Ok(Self { host, port, authority, tls })
    }

    /// The same issuer by another way.
    pub(crate) fn by_way_of(self, way: SocketAddr) -> Self {
        Self { host: way.ip().to_string(), port: way.port(), ..self }
    }

    /// A server that listens with plain HTTP behind its proxies, of which we are one.
    pub(crate) fn plain(issuer: &str, at: SocketAddr) -> Result<Self, AddressRefused> {
        let uri: Uri = issuer.parse().map_err(|_| AddressRefused::NotAnOrigin)?;
        let authority = uri.authority().ok_or(AddressRefused::NotAnOrigin)?;
        let authority =
            HeaderValue::from_str(authority.as_str()).map_err(|_| AddressRefused::NotAnOrigin)?;
        Ok(Self { host: at.ip().to_string(), port: at.port(), authority, tls: None })
    }

    pub(crate) async fn dial(&self) -> Result<Line, NoAnswer> {
        timeout(PATIENCE, self.connect()).await.map_err(|_| NoAnswer::Late)?
    }

    async fn connect(&self) -> Result<Line, NoAnswer> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // A statement of a few hundred bytes must not wait for more.
        stream.set_nodelay(true)?;
        let sender = match &self.tls {
            Some((connector, name)) => {
                start(connector.connect(name.clone(), stream).await?).await?
            }
            None => start(stream).await?,
        };
        Ok(Line { sender, authority: self.authority.clone() })
    }

    /// Sends one request on a connection of its own, and reads the whole answer.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, NoAnswer> {
        self.dial().await?.ask(request).await
    }
}

async fn start<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, NoAnswer>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the line is dropped. What goes wrong on it, the line is told.
    tokio::spawn(connection);
    Ok(sender)
}

impl Line {
    /// Sends a request, and waits for the head of the answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        request.headers_mut().insert(HOST, self.authority.clone());
        let sending = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        Ok(timeout(PATIENCE, sending).await.map_err(|_| NoAnswer::Late)??)
    }

    /// Sends a request, and reads the whole answer.
    pub(crate) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let (head, body) = self.send(request).await?.into_parts();
        let read = timeout(PATIENCE, Limited::new(body, ANSWER_BYTES_MAX).collect());
        let body = match read.await.map_err(|_| NoAnswer::Late)? {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(NoAnswer::Senseless("it is too large"));
            }
            Err(error) => return Err(NoAnswer::Body(error)),
        };
        Ok(Response::from_parts(head, body))
    }
}

/// The addresses and names that no packet leaves the machine for.
fn is_this_machine(host: &str) -> bool {
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

fn trusting(roots: &Roots) -> Result<ClientConfig, AddressRefused> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::Pem(pem) => {
            let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
            store.add_parsable_certificates(all.map_err(|_| AddressRefused::NoRoots)?);
        }
    }
    if store.is_empty() {
        return Err(AddressRefused::NoRoots);
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(issuer: &str) -> String {
        match Address::of(issuer, &Roots::System) {
            Err(refused) => refused.to_string(),
            Ok(_) => panic!("{issuer} was taken"),
        }
    }

    #[test]
    fn an_issuer_is_an_origin_and_safe_from_others() {
        for issuer in ["", "id.example.com", "https://", "ftp://id.example.com", "/x"] {
            assert_eq!(refused(issuer), AddressRefused::NotAnOrigin.to_string(), "{issuer}");
        }
        for issuer in
            ["https://id.example.com/", "https://id.example.com/a", "https://x@id.example.com"]
        {
            assert_eq!(refused(issuer), AddressRefused::NotAnOrigin.to_string(), "{issuer}");
        }
        for issuer in ["http://id.example.com", "http://localhost.evil.example", "http://10.0.0.1"]
        {
            assert_eq!(refused(issuer), AddressRefused::Insecure.to_string(), "{issuer}");
        }
        for issuer in ["http://localhost:7117", "http://127.0.0.1:1", "http://[::1]:7117"] {
            let address = Address::of(issuer, &Roots::System).unwrap();
            assert!(address.tls.is_none());
        }
    }

    #[test]
    fn without_a_certificate_to_trust_nobody_is_trusted() {
        for pem in
            ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let roots = Roots::Pem(pem.into());
            let refused = Address::of("https://id.example.com", &roots);
            assert!(matches!(refused, Err(AddressRefused::NoRoots)), "{pem}");
        }
    }
}
