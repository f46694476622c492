//! Notices: what an account's owner is asked about, and what their answer leads to.

use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::notice::Viewer;
use doorward_store::act::StoreFailed;
use doorward_wire::EventId;

use super::identify::Caller;
use crate::App;

/// How often the store is asked for one page, at the most, when much of what it has is not for the
/// caller.
const READS_MAX: usize = 8;

/// Some of the open notices.
#[derive(Debug)]
pub struct Open {
    /// The notices, newest first.
    pub items: Vec<Event>,
    /// Where the next page begins, if there is one.
    pub next: Option<EventId>,
}

/// What an owner says of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was them.
    Me,
    /// It was somebody else.
    NotMe,
}

/// Whether the caller is still signed in after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Their session goes on.
    StillIn,
    /// The notice was about their own session, which they may share with a thief. It has ended.
    SignedOut,
}

/// Why a notice was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The caller has no such notice, or not any more.
    #[error("no such notice")]
    NotOpen,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// The notices that are for the caller's eyes, newest first, older than `before`.
pub async fn open(
    app: &App,
    caller: &Caller,
    before: Option<EventId>,
    limit: usize,
) -> Result<Open, StoreFailed> {
    let mut open = Open { items: Vec::new(), next: before };
    let Some(account) = caller.live().account() else { return Ok(Open { next: None, ..open }) };
    for _ in 0..READS_MAX {
        let wanted = limit - open.items.len();
        let page = app.store.notices_of(account.id, open.next, wanted).await?;
        open.next = page.items.last().filter(|_| page.more).map(|event| event.id);
        open.items.extend(page.items.into_iter().filter(|event| is_told(app, caller, event)));
        if open.next.is_none() || open.items.len() == limit {
            break;
        }
    }
    Ok(open)
}

/// Takes the owner's answer. If it was not them, that session and every other one end first; only then
/// is the notice closed, so that nothing is left to do when it has gone.
pub async fn answer(
    app: &App,
    caller: &Caller,
    (id, answer): (EventId, Answer),
    from: &Device,
) -> Result<Answered, AnswerError> {
    let account = caller.live().account().ok_or(AnswerError::NotOpen)?.id;
    let notice = app.store.notice(account, id).await?;
    let notice = notice.filter(|event| is_told(app, caller, event)).ok_or(AnswerError::NotOpen)?;
    let (reason, is_shared) = match answer {
        Answer::Me => ("was-me", false),
        Answer::NotMe => ("was-not-me", notice.session == Some(caller.sid())),
    };
    if answer == Answer::NotMe {
        let ending = app.ending("not-me", Some(account), from);
        let except = (!is_shared).then_some(caller.sid());
        app.store.end_sessions_of(account, except, ending).await?;
    }
    let answered = Event {
        account: Some(account),
        session: Some(caller.sid()),
        reason: Some(reason.into()),
        ..app.event(EventKind::NoticeAnswered, from)
    };
    // Of two answers at once one is written; what this one promised is true by now.
    app.store.answer_notice(account, id, answered).await?;
    Ok(if is_shared { Answered::SignedOut } else { Answered::StillIn })
}

fn is_told(app: &App, caller: &Caller, event: &Event) -> bool {
    let here = app.whereabouts(caller.device());
    let viewer = Viewer { session: caller.live().session(), here };
    viewer.is_told(event, |device| app.whereabouts(device))
}
