//! A wire that a test can cut: it hands bytes on, holds them back, or is not there.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What a relay does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Hands it on.
    Whole,
    /// Keeps it, and hands it on when it is whole again: a network that is stuck.
    Held,
    /// Closes every connection, and each new one at once.
    Cut,
}

/// A wire to a server. It goes when it is dropped.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: watch::Sender<Wire>,
}

impl Relay {
    /// A whole wire to `server`.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        Self::by(move || async move {
            let far = TcpStream::connect(server).await?;
            far.set_nodelay(true)?;
            Ok(far)
        })
        .await
    }

    /// A whole wire to a server that listens on a socket in the file system.
    pub(crate) async fn to_socket(path: PathBuf) -> Self {
        Self::by(move || UnixStream::connect(path.clone())).await
    }

    async fn by<S, F>(connect: impl Fn() -> F + Send + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
        F: Future<Output = io::Result<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            loop {
                let mut gone = watched.clone();
                let near = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = async { while gone.changed().await.is_ok() {} } => return,
                };
                if *watched.borrow() == Wire::Cut {
                    continue;
                }
                let Ok(far) = connect().await else { continue };
                near.set_nodelay(true).unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (split(near), split(far));
                tokio::spawn(hand_on(near_in, far_out, watched.clone()));
                tokio::spawn(hand_on(far_in, near_out, watched.clone()));
            }
        });
        Self { address, state }
    }

    /// Makes it whole, holds it, or cuts it.
    pub(crate) fn set(&self, wire: Wire) {
        self.state.send_replace(wire);
    }
}

async fn hand_on(
    mut from: ReadHalf<impl AsyncRead>,
    mut to: WriteHalf<impl AsyncWrite>,
    mut state: watch::Receiver<Wire>,
) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let mut cut = state.clone();
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = cut.wait_for(|wire| *wire == Wire::Cut) => return,
        };
        let Ok(count @ 1..) = read else { return };
        let Ok(wire) = state.wait_for(|wire| *wire != Wire::Held).await.map(|wire| *wire) else {
            return;
        };
        if wire == Wire::Cut || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
