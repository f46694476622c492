//! A bare server: hello, from axum, in the shape of Doorward's process.
//!
//! What Doorward does costs what it takes longer than this. Everything around the answer is the
//! same: the allocator, the runtime, HTTP/1 by hyper with a time limit on the head, and a router.
//! Nothing is looked at and nothing is kept.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: bare [--threads N]   (1: no thread but the first)";

fn main() -> Result<(), Box<dyn Error>> {
    runtime(&std::env::args().skip(1).collect::<Vec<_>>())?.block_on(serve())
}

/// Without the flag: as many threads as there are cores, which is what Doorward does.
fn runtime(arguments: &[String]) -> Result<Runtime, Box<dyn Error>> {
    let mut builder = match arguments {
        [] => Builder::new_multi_thread(),
        [flag, one] if flag == "--threads" && one == "1" => Builder::new_current_thread(),
        [flag, count] if flag == "--threads" => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(count.parse().map_err(|_| USAGE)?);
            builder
        }
        _ => return Err(USAGE.into()),
    };
    Ok(builder.enable_all().build()?)
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // Any path, so that it can be sent exactly the requests that Doorward is sent.
    let router = Router::new().route("/{*path}", any(async || "hello"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, r#"{{"event":"server.ready","url":"http://{}"}}"#, listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            // A load that stops closes in the middle of things; there is nobody to tell.
            let _ = connection.await;
        });
    }
}
