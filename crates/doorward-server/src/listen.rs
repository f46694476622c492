//! Listening: connections, their limits, and how they end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::App;
use crate::edge::Edge;

/// The most connections at once.
const CONNECTIONS_MAX: usize = 10_000;

/// The longest that a request's header fields may take to arrive (slow loris, attack 73).
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// The longest that requests under way may take once we were asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(25);

/// How long a new connection's first request may be on its way once we were asked to stop.
const FIRST_MAX: Duration = Duration::from_millis(500);

/// The most bytes of a request's head. Beyond it hyper answers 431 itself; below it the edge does,
/// with a sentence.
const HEAD_MAX: usize = 128 * 1024;

/// The most header fields.
const FIELDS_MAX: usize = 256;

/// Serves until `stop` is done, then lets requests under way finish.
///
/// While they do, whoever still asks is answered, once: `/readyz` says no.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) {
    let edge = Edge::new(app.clone());
    let door = Door { listener, edge, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
    let (draining, drain) = watch::channel(());
    tokio::select! {
        never = door.keep_open(Some(&drain)) => match never {},
        () = stop => {}
    }
    app.draining.store(true, Ordering::Relaxed);
    // Connections that are idle close at once, the others after their answer; each holds a receiver.
    draining.send_replace(());
    drop(drain);
    tokio::select! {
        never = door.keep_open(None) => match never {},
        () = draining.closed() => {}
        () = tokio::time::sleep(DRAIN_MAX) => {
            tracing::warn!("some requests were cut off: they took longer than 25 s to finish");
        }
    }
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    edge: Arc<Edge>,
    places: Arc<Semaphore>,
}

impl Door {
    /// Accepts connections for ever. Without `drain` the server drains already, and each connection
    /// gets one answer.
    async fn keep_open(&self, drain: Option<&watch::Receiver<()>>) -> Infallible {
        loop {
            // A connection beyond the last place waits in the kernel until one is free.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                std::future::pending().await
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection went before it was served");
                    }
                    let (edge, drain) = (Arc::clone(&self.edge), drain.cloned());
                    tokio::spawn(async move {
                        connection(edge, stream, peer, drain).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: give the others time to finish.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn connection(
    edge: Arc<Edge>,
    stream: TcpStream,
    peer: SocketAddr,
    drain: Option<watch::Receiver<()>>,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = Arc::clone(&asked);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        was_asked.store(true, Ordering::Relaxed);
        let edge = Arc::clone(&edge);
        async move { Ok::<_, Infallible>(edge.answer(peer, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEAD_MAX)
        .max_headers(FIELDS_MAX)
        .keep_alive(drain.is_some())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let Some(mut drain) = drain else {
        return told(connection.await);
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = drain.changed() => {
            let patience = if asked.load(Ordering::Relaxed) { Duration::ZERO } else { FIRST_MAX };
            if let Ok(ended) = tokio::time::timeout(patience, connection.as_mut()).await {
                return told(ended);
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    told(ended);
}

fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
