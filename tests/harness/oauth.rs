//! A client that is known to a server, and asks as OAuth clients do.

use base64ct::{Base64, Encoding};
use doorward_core::client::{Client, ClientName, PREFIX};
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::REVOCATIONS_SCOPE;
use doorward_wire::ClientId;
use serde_json::Value;

use super::reply::Reply;
use super::server::Server;

/// A client of a server in this process.
pub(crate) struct Known<'a> {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: String,
    server: &'a Server,
}

impl<'a> Known<'a> {
    /// A client that may follow the revocations.
    pub(crate) async fn follower(server: &'a Server) -> Self {
        Self::with(server, &[REVOCATIONS_SCOPE], &[]).await
    }

    /// A client that serves these audiences, and may do nothing else.
    pub(crate) async fn serving(server: &'a Server, audiences: &[&str]) -> Self {
        Self::with(server, &[], audiences).await
    }

    /// A client that may both ask and follow.
    pub(crate) async fn with(server: &'a Server, scopes: &[&str], audiences: &[&str]) -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self::made(server, |client| {
            client.scopes = own(scopes);
            client.serves = own(audiences);
        })
        .await
    }

    /// An app that people sign in for, and come back to at this address.
    pub(crate) async fn app(
        server: &'a Server,
        redirect: &str,
        change: impl FnOnce(&mut Client),
    ) -> Self {
        let redirect = redirect.parse().unwrap();
        Self::made(server, |client| {
            client.redirects = vec![redirect];
            change(client);
        })
        .await
    }

    async fn made(server: &'a Server, change: impl FnOnce(&mut Client)) -> Self {
        let ambient = &server.app.ambient;
        let (id, secret, now) = (ambient.client_id(), ambient.secret(), ambient.now());
        let mut client = Client {
            id,
            name: ClientName::parse("a client under test").unwrap(),
            scopes: Vec::new(),
            serves: Vec::new(),
            redirects: Vec::new(),
            audience: String::new(),
            is_public: false,
            created_at: now,
            secret: secret.digest(),
            tokens_from: now,
        };
        change(&mut client);
        server.store.add_client(client, told(server, EventKind::ClientCreated)).await.unwrap();
        let secret = format!("{PREFIX}{}", secret.expose().as_str());
        Self { id: id.to_string(), secret, server }
    }

    /// Deletes it, as the command line does.
    pub(crate) async fn delete(&self) {
        let id: ClientId = self.id.parse().unwrap();
        let event = told(self.server, EventKind::ClientDeleted);
        let now = self.server.clock.time();
        assert!(self.server.store.delete_client(id, now, event).await.unwrap());
    }

    /// Ends what it was issued until now.
    pub(crate) async fn revoke_tokens(&self) {
        let id: ClientId = self.id.parse().unwrap();
        let event = told(self.server, EventKind::ClientRevoked);
        let now = self.server.clock.time();
        assert!(self.server.store.revoke_client(id, now, event).await.unwrap());
    }

    /// The value of a `Basic` header of its own.
    pub(crate) fn basic(&self) -> String {
        self.basic_of(&self.id, &self.secret)
    }

    /// The value of a `Basic` header of these two.
    #[expect(clippy::unused_self, reason = "it reads as the client's own")]
    pub(crate) fn basic_of(&self, id: &str, secret: &str) -> String {
        format!("Basic {}", Base64::encode_string(format!("{id}:{secret}").as_bytes()))
    }

    /// Asks as itself.
    pub(crate) async fn ask(&self, path: &str, pairs: &[(&str, &str)]) -> Reply {
        let request = self.server.client().post_form(path, pairs);
        request.header("authorization", self.basic()).await
    }

    /// Asks for a token of its own.
    pub(crate) async fn own_token(&self, more: &[(&str, &str)]) -> Reply {
        let pairs = [&[("grant_type", "client_credentials")], more].concat();
        self.ask("/oauth/token", &pairs).await
    }

    /// What it is told of a token.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        self.ask("/oauth/introspect", &[("token", token)]).await.must_be(200).json()
    }
}

fn told(server: &Server, kind: EventKind) -> Event {
    server.app.event(kind, &doorward_core::device::Device::default())
}
