//! A shop: somebody's own app with a guard in front, over real HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path};
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use doorward_guard::{
    Answer, AppExtensions, Clock, DataKey, Guard, NoServer, RequireScope, Session, User, require,
    scope,
};
use doorward_server::edge::Edge;
use doorward_server::settings::Site;
use doorward_wire::UnixTime;
use http::Request;
use http_body_util::BodyExt;
use tokio::net::TcpListener;

use super::{Browser, Client, Server};

scope!(Profile = "profile");
scope!(Refunds = "shop.refunds");

/// What is in the basket.
const BASKET: DataKey<Vec<String>> = DataKey::new("basket");

/// The time at which a server's clock begins. Guards that follow go by the server's own.
pub(crate) fn clock() -> UnixTime {
    super::clock::HandClock::START
}

/// A running shop. It ends with the test.
pub(crate) struct Shop {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where browsers reach it.
    pub(crate) origin: String,
}

async fn home(user: Option<User>) -> String {
    user.map_or("hello, stranger".into(), |user| format!("hello, {}", named(&user)))
}

fn named(user: &User) -> String {
    user.username().map_or_else(|| user.account().to_string(), str::to_owned)
}

async fn orders(user: User) -> String {
    format!("orders of {}", named(&user))
}

async fn profile(asked: RequireScope<Profile>) -> String {
    named(&asked.user)
}

async fn refunds(_: RequireScope<Refunds>) -> &'static str {
    "refunds"
}

async fn basket(session: Session) -> Result<String, StatusCode> {
    let basket = session.get(BASKET).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(basket.unwrap_or_default().join(","))
}

async fn put(session: Session, Path(thing): Path<String>) -> Result<Redirect, StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let mut basket = session.get(BASKET).map_err(failed)?.unwrap_or_default();
    basket.push(thing.clone());
    session.insert(BASKET, &basket).map_err(failed)?;
    if thing == "slow" {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(Redirect::to("/basket"))
}

async fn clear(session: Session) -> StatusCode {
    session.remove(BASKET);
    StatusCode::NO_CONTENT
}

/// The routes of the shop, without a guard.
pub(crate) fn routes() -> Router {
    let staff = require().role("administrator");
    let fresh = require().proved_within(Duration::from_mins(10));
    let sure = require().assurance(2);
    Router::new()
        .route("/", get(home).post(home))
        .route("/orders", get(orders).post(orders))
        .route("/profile", get(profile))
        .route("/refunds", get(refunds))
        .route("/basket", get(basket).delete(clear))
        .route("/basket/{thing}", post(put))
        .route("/staff", get(orders).layer(staff))
        .route("/money", get(orders).layer(fresh))
        .route("/vault", get(orders).layer(sure))
}

/// The server, in the same process.
pub(crate) fn in_process(server: &Server) -> impl doorward_guard::Server + use<> {
    let edge = Edge::new(server.app.clone());
    move |request: Request<bytes::Bytes>| -> Answer {
        let edge = std::sync::Arc::clone(&edge);
        Box::pin(async move {
            let app = request.extensions().get::<AppExtensions>();
            let peer = app.and_then(|app| app.get::<ConnectInfo<SocketAddr>>());
            let peer = peer.ok_or_else(|| NoServer::new("nobody asks"))?.0;
            let answer = edge.answer(peer, request.map(Body::from)).await;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(NoServer::new)?.to_bytes();
            Ok(http::Response::from_parts(head, body))
        })
    }
}

impl Shop {
    /// Serves these routes on a port of the system's choice.
    pub(crate) async fn serve(routes: Router, origin: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, routes, origin)
    }

    fn on(listener: TcpListener, routes: Router, origin: &str) -> Self {
        let address = listener.local_addr().unwrap();
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, origin: origin.to_owned() }
    }

    /// A shop and a server in one process, on one port.
    pub(crate) async fn embedded(
        change: impl FnOnce(&mut doorward_server::Settings),
    ) -> (Self, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let server = Server::with(|settings| {
            settings.site = Site::Development { issuer: origin.clone() };
            change(settings);
        })
        .await;
        let guard = Guard::beside(&origin, in_process(&server));
        let edge = Edge::new(server.app.clone());
        let rest = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>| {
            let edge = std::sync::Arc::clone(&edge);
            async move { edge.answer(peer, request).await }
        };
        let clock: Clock = clock;
        let routes = routes().layer(guard.protect(clock)).fallback(rest);
        (Self::on(listener, routes, &origin), server)
    }

    /// A client that shows nothing.
    pub(crate) fn client(&self) -> Client {
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        Client::new(self.address, host)
    }

    /// An empty browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.client(), &self.origin)
    }
}
