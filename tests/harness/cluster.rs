//! Servers that share a PostgreSQL database: the real binary, each with a data folder of its own.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use postgres_server::Database;

use super::process::{Data, Process};
use super::server::{PRODUCTION, login_body};
use super::{Browser, Client, Member, PASSWORD, Reply, Tokens};

/// Anybody may make an account.
const CONFIG: &str = "[registration]\nopen = true\n";

/// A database, and what every server on it needs.
pub(crate) struct Cluster {
    /// The database that they share.
    pub(crate) database: Database,
    first: Data,
}

/// A running server on the shared database.
pub(crate) struct Node {
    /// The process.
    pub(crate) process: Process,
}

impl Cluster {
    /// A fresh database in the server that tests share, and as many servers on it.
    pub(crate) async fn of<const N: usize>() -> (Self, [Node; N]) {
        Self::on(postgres_server::database()).await
    }

    /// As many servers on a database.
    pub(crate) async fn on<const N: usize>(database: Database) -> (Self, [Node; N]) {
        let cluster = Self { database, first: Data::fresh() };
        std::fs::write(cluster.first.beside("doorward.toml"), CONFIG).unwrap();
        let mut nodes = Vec::new();
        for _ in 0..N {
            nodes.push(cluster.join(&cluster.database.url()).await);
        }
        let nodes = nodes.try_into().unwrap_or_else(|_| unreachable!("as many as were pushed"));
        (cluster, nodes)
    }

    /// Starts one more server, which reaches the database by `url`.
    pub(crate) async fn join(&self, url: &str) -> Node {
        let key = self.first.path().join("master.key");
        let data = if key.exists() { Data::fresh() } else { self.first.clone() };
        if !data.path().exists() && key.exists() {
            // As an operator does.
            DirBuilder::new().mode(0o700).create(data.path()).unwrap();
            let mut options = OpenOptions::new();
            let copy = options.create_new(true).write(true).mode(0o600);
            let mut copy = copy.open(data.path().join("master.key")).unwrap();
            copy.write_all(&std::fs::read(key).unwrap()).unwrap();
        }
        self.start(&data, url).await
    }

    /// Starts a server on a data folder that it has had before.
    pub(crate) async fn start(&self, data: &Data, url: &str) -> Node {
        let config = self.first.beside("doorward.toml");
        let config = config.to_str().unwrap();
        let proxy = "127.0.0.1/32";
        let args =
            ["--config", config, "--store", url, "--url", PRODUCTION, "--trusted-proxy", proxy];
        Node { process: data.start(&args).await }
    }
}

impl Node {
    /// A client without a cookie, which speaks as the proxy does.
    pub(crate) fn client(&self) -> Client {
        let client = self.process.client();
        client.always("x-forwarded-proto", "https").always("x-forwarded-for", "203.0.113.7")
    }

    /// An empty browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.client(), PRODUCTION)
    }

    /// A browser that has the cookie of another, whichever server gave it.
    pub(crate) fn browser_of(&self, other: &Browser) -> Browser {
        self.browser().with_cookie_of(other)
    }

    /// Makes a member's account.
    pub(crate) async fn member(&self, username: &str) -> Member {
        let body = serde_json::json!({ "username": username, "password": PASSWORD });
        let made = self.browser().post_json("/api/v1/accounts", &body).await.must_be(201);
        Member {
            id: made.json()["id"].as_str().unwrap().to_owned(),
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    /// Signs in, with a cookie.
    pub(crate) async fn sign_in(&self, member: &Member) -> Browser {
        let browser = self.browser();
        let body = login_body(member, "cookie", serde_json::json!({}));
        browser.post_json("/api/v1/login", &body).await.must_be(200);
        browser
    }

    /// Signs in, with tokens.
    pub(crate) async fn tokens(&self, member: &Member) -> Tokens {
        let body = login_body(member, "token", serde_json::json!({}));
        Tokens::read(&self.client().post_json("/api/v1/login", &body).await.must_be(200))
    }

    /// Who an access token belongs to, by its session.
    pub(crate) async fn whoami(&self, access: &str) -> Reply {
        self.client().get("/api/v1/session").bearer(access).await
    }

    /// Turns a refresh token.
    pub(crate) async fn refresh(&self, refresh: &str) -> Reply {
        let body = serde_json::json!({ "refresh_token": refresh });
        self.client().post_json("/api/v1/refresh", &body).await
    }
}
