//! What can go wrong beneath the store, in sentences for whoever runs it.

use std::error::Error;

use tokio_postgres::error::SqlState;

use crate::act::StoreFailed;

/// Why the database could not do as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("too much is waiting for the database")]
    QueueFull,
    #[error("no connection to the database became free in time")]
    NoneFree,
    #[error("the database did not answer in time")]
    TooLate,
    #[error("no connection to the database: {0}")]
    Unreachable(String),
    #[error("the database: {}", sentence(.0))]
    Database(tokio_postgres::Error),
    #[error("an act went on after a statement of it had failed: nothing of it was kept")]
    NotWhole,
    #[error("an act ended in the middle: {0}")]
    Stopped(String),
    #[error("what is kept in column `{0}` cannot be read")]
    Unreadable(String),
    #[error("the address of the database: {0}")]
    Address(String),
    #[error("the database has version {found}, and this program knows {known}: use a newer one")]
    FromTheFuture { found: usize, known: usize },
    #[error(
        "the database holds tables of some other program in the schema `{0}`: give Doorward a \
         database, or a schema, of its own"
    )]
    NotOurs(String),
    #[error("the schema that `search_path` names is not there: create it, and let us use it")]
    NoSchema,
    #[error("the server's version is {0}, and Doorward needs PostgreSQL 13 or newer")]
    TooOld(String),
    #[error("the database's encoding is {0}, and Doorward needs UTF8")]
    Encoding(String),
    #[error("the server is a standby, which takes no writes: name the primary too")]
    Standby,
}

impl From<Fault> for StoreFailed {
    fn from(fault: Fault) -> Self {
        Self::because(fault)
    }
}

impl From<tokio_postgres::Error> for StoreFailed {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::Database(error).into()
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// Whether an act that failed like this is simply done again: others stood in its way, and nothing of
/// it was kept.
pub(super) fn is_passing(failure: &StoreFailed) -> bool {
    let code = failure.0.downcast_ref().and_then(|fault: &Fault| match fault {
        Fault::Database(error) => error.code(),
        _ => None,
    });
    code.is_some_and(|code| {
        *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
    })
}

/// Whether a row was not kept because its name is in use.
pub(super) fn is_taken(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

/// What the server said, or what became of the way to it. What a row holds is left out: the server
/// tells that in the details.
pub(super) fn sentence(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", told.message(), told.code().code());
    }
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence = format!("{sentence}: {error}");
        cause = error.source();
    }
    sentence
}
