//! Who is asking, as a handler asks for it: extractors for axum, and the layer that they stand on.
//!
//! ```no_run
//! # fn app(guard: doorward_guard::Guard, clock: doorward_guard::Clock) {
//! use std::time::Duration;
//!
//! use axum::{Router, routing::{get, post}};
//! use doorward_guard::{RequireScope, User, require, scope};
//!
//! scope!(OrdersRead = "orders.read");
//!
//! async fn home(user: Option<User>) -> String {
//!     user.map_or("hello, stranger".into(), |user| format!("hello, {}", user.account()))
//! }
//! async fn orders(_: RequireScope<OrdersRead>) -> &'static str {
//!     "tea"
//! }
//! async fn refund(user: User) -> String {
//!     format!("refunded by {}", user.account())
//! }
//!
//! let fresh = require().role("administrator").proved_within(Duration::from_mins(10));
//! let app: Router = Router::new()
//!     .route("/refund", post(refund).layer(fresh))
//!     .route("/", get(home))
//!     .route("/orders", get(orders))
//!     .layer(guard.protect(clock));
//! # drop(app);
//! # }
//! ```
//!
//! # What this module answers
//!
//! - *A bad credential that counts as none*: `Option<User>` is `None` only where nothing was shown.
//! - *A login that leads in a circle*: whoever is signed in and may not is told so (403), and not sent to
//!   sign in; and pages are led to the login page only where a browser can show who it is afterwards.
//! - *A form of another site's*: a request that changes something counts only from the app's own pages.
//! - *A layer that was forgotten*: an error (500) that says so in the log, and nobody let in.

mod data;
mod denial;
mod protect;
mod require;

use std::marker::PhantomData;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

pub use data::{DataKey, DataRefused, Session};
pub use denial::Denial;
pub use protect::{Protect, Protected};
pub use require::{Require, Required, require};

use crate::ask::protect::Asked;
use crate::{Denied, Identity};

/// Whoever is asking, signed in. A handler that has one is not called by anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Identity);

impl std::ops::Deref for User {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

/// A scope that a handler needs: see [`scope!`](crate::scope).
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no scope",
    note = "write `doorward_guard::scope!({Self} = \"orders.read\");`"
)]
pub trait Scope {
    /// Its name.
    const NAME: &'static str;
}

/// Names a scope, for [`RequireScope`].
///
/// ```
/// use doorward_guard::{Scope, scope};
///
/// scope!(OrdersRead = "orders.read");
/// assert_eq!(OrdersRead::NAME, "orders.read");
/// ```
#[macro_export]
macro_rules! scope {
    ($name:ident = $text:literal) => {
        #[doc = concat!("The scope `", $text, "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $crate::Scope for $name {
            const NAME: &'static str = $text;
        }
    };
}

/// Whoever is asking, with a credential that allows this. Anybody else gets 403, or is to sign in.
#[derive(Clone, Debug)]
pub struct RequireScope<S> {
    /// Who it is.
    pub user: User,
    scope: PhantomData<S>,
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Denial;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Denial> {
        let asked = Asked::of(&parts.extensions, &parts.method, &parts.uri)?;
        asked.who().map(Self)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Denial;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Denial> {
        let asked = Asked::of(&parts.extensions, &parts.method, &parts.uri)?;
        match asked.found() {
            Err(Denied::Nothing) => Ok(None),
            Ok(_) | Err(_) => asked.who().map(|identity| Some(Self(identity))),
        }
    }
}

impl<S: Send + Sync, N: Scope> FromRequestParts<S> for RequireScope<N> {
    type Rejection = Denial;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denial> {
        let user = <User as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        if user.allows(N::NAME) {
            Ok(Self { user, scope: PhantomData })
        } else {
            Err(Denial::scope(N::NAME))
        }
    }
}
