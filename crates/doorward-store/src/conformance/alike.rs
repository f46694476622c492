//! The same random acts on two stores: they must answer alike and end alike.

use std::fmt::Debug;
use std::net::IpAddr;

use doorward_core::account::{Epoch, PasswordVersion, Role};
use doorward_core::binding::Bound;
use doorward_core::data::Precondition;
use doorward_core::session::{Assurance, Device, Lifetimes, Touch};
use doorward_core::whereabouts::Whereabouts;
use doorward_wire::jose::Thumbprint;
use doorward_wire::{AccountId, SessionId, UnixTime};

use super::sample::{
    NOON, account, account_at, after, anonymous, change, data_key, device, ending, event, key,
    other_device, password, presented, refresh_token, renamed, secret, session, token_session,
};
use crate::Store;
use crate::act::{NewBinding, NewSecret, NewSession, PasswordChange};

/// What acts are answered with, if they meet.
const ANSWERS: [&str; 24] = [
    "Ok(())",
    "Ok(true)",
    "Ok(false)",
    "Ok(3)",
    "Ok(Swept { forgotten: 2, is_done: false })",
    "Ok(Swept { forgotten: 1, is_done: true })",
    "Ok(Written { version: 2, is_new: false })",
    "Ok(Written { version: 2, is_new: true })",
    "Ok(Rotated",
    "Err(Taken)",
    "Err(LinkSpent)",
    "Err(SessionRefused)",
    "Err(Gone)",
    "Err(Conflict",
    "Err(TooLarge)",
    "Err(Unknown)",
    "Err(Withheld)",
    "Err(Refused(Idle))",
    "Err(Refused(Old))",
    "Err(Reused",
    "Err(Bound)",
    "Ok(Counted)",
    "Ok(Late)",
    "Ok(Gone)",
];

/// How often each kind of answer was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hits([u32; ANSWERS.len()]);

impl Hits {
    /// Adds those of other acts.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(others.0) {
            *mine += theirs;
        }
        self
    }

    /// Checks that each kind of answer was given.
    ///
    /// # Panics
    ///
    /// If one was not: then the acts do not meet, and show little.
    pub fn must_be_of_each_kind(&self) {
        for (hits, answer) in self.0.iter().zip(ANSWERS) {
            assert!(*hits > 0, "{answer} was never the answer: the acts do not meet");
        }
    }
}

/// Asks two fresh stores for the same `count` random acts, and does something after each.
///
/// # Panics
///
/// If they answer one differently, or keep something else.
pub async fn check(
    (left, right): (&dyn Store, &dyn Store),
    (seed, count): (u64, u64),
    mut then: impl FnMut(u64),
) -> Hits {
    let mut hits = Hits::default();
    let mut dice = Dice(seed);
    let mut tokens: Vec<u64> = (1..=24).collect();
    for n in 0..count {
        let chosen = Chosen::roll(&mut dice, &tokens, n);
        let (told, expected) = (chosen.act(left).await, chosen.act(right).await);
        assert_eq!(told, expected, "seed {seed}, act {n} of kind {}", chosen.kind);
        if told.starts_with("Ok(Rotated") {
            tokens.push(chosen.successor());
        }
        for (hit, answer) in hits.0.iter_mut().zip(ANSWERS) {
            *hit += u32::from(told.starts_with(answer));
        }
        then(n);
        if n % 40 == 0 {
            check_alike(left, right, seed, n).await;
        }
    }
    check_alike(left, right, seed, count).await;
    hits
}

/// `SplitMix64`: enough to choose acts with, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// An act on either store. Names are few, so that acts meet.
struct Chosen {
    kind: u64,
    /// The number of the act: no event of one has the id of another's.
    n: u64,
    account: u64,
    sid: u64,
    secret: u64,
    other: u64,
    /// The secret of a refresh token, used or not.
    refresh: u64,
    epoch: u32,
    now: u64,
    flag: bool,
}

impl Chosen {
    fn roll(dice: &mut Dice, tokens: &[u64], n: u64) -> Self {
        let recent = if dice.one_in(2) { tokens.len() as u64 } else { 6 };
        let back = usize::try_from(dice.roll(recent)).unwrap();
        Self {
            kind: dice.roll(23),
            n,
            account: 1 + dice.roll(4),
            sid: 1 + dice.roll(10),
            secret: 1 + dice.roll(24),
            other: 1 + dice.roll(24),
            refresh: tokens[tokens.len() - 1 - back],
            epoch: u32::try_from(dice.roll(3)).unwrap(),
            now: 100_000 + n * 60 + dice.roll(3000),
            flag: dice.one_in(2),
        }
    }

    async fn new_session(&self, store: &dyn Store) -> NewSession {
        let mut new = match (self.epoch, self.flag) {
            (0, _) => anonymous(self.sid),
            (_, true) => session(self.sid, self.account),
            (_, false) => token_session(self.sid, self.account),
        };
        new.session.key = new.session.key.map(|_| key(self.secret));
        if let Some(token) = &mut new.refresh {
            token.key = key(self.other);
        }
        if let Some(owner) = &mut new.session.owner {
            owner.epoch = self.epoch_of(owner.account, store).await;
            new.proved = Some(self.version_of(owner.account, store).await);
        }
        new.session.opened_at = after(self.now - self.other * 3600);
        new.session.seen_at = after(self.now);
        new.session.remembered = self.secret.is_multiple_of(3);
        new.session.acr = match self.secret % 4 {
            0 => Assurance::Aal3,
            1 => Assurance::Aal2,
            _ => Assurance::Aal1,
        };
        new.replaces = self.flag.then(|| key(self.other));
        new.carry = vec![data_key("a"), data_key("b")];
        new.event = event(10_000 + self.n);
        new.event.account = new.session.owner.map(|owner| owner.account);
        new.whereabouts = new.event.account.map(|_| Whereabouts {
            device: ["Firefox", "curl"][usize::from(self.flag)].into(),
            network: (self.other % 3).to_string(),
            country: self.secret.is_multiple_of(5).then(|| "SE".into()),
        });
        new
    }

    /// The epoch of an account, mostly.
    async fn epoch_of(&self, account: AccountId, store: &dyn Store) -> Epoch {
        let guess = Epoch(u32::try_from(self.other % 3).unwrap());
        let account = store.account(account).await.unwrap();
        account.filter(|_| !self.other.is_multiple_of(4)).map_or(guess, |account| account.epoch)
    }

    /// The version of an account's password, mostly.
    async fn version_of(&self, account: AccountId, store: &dyn Store) -> PasswordVersion {
        let guess = PasswordVersion(u32::try_from(self.secret % 3).unwrap());
        let kept = store.password(account).await.unwrap();
        kept.filter(|_| !self.secret.is_multiple_of(5)).map_or(guess, |(_, version)| version)
    }

    /// A use of the session, of its first generation mostly.
    fn touch(&self, seen_at: UnixTime) -> Touch {
        let acr = [Assurance::Aal1, Assurance::Aal2][usize::from(self.flag)];
        let generation = u32::from(self.other.is_multiple_of(4));
        Touch { seen_at, acr, generation, ip: self.ip() }
    }

    /// The session as it is kept, to be renamed: from the same reading on both sides.
    async fn kept(&self, store: &dyn Store) -> Option<NewSession> {
        let found = store.session(SessionId(self.sid.into())).await.unwrap()?;
        Some(NewSession { session: found.session, ..anonymous(self.sid) })
    }

    fn ip(&self) -> Option<IpAddr> {
        let ip = ["192.0.2.9", "2001:db8::9"][usize::from(self.flag)];
        ip.parse().ok().filter(|_| !self.secret.is_multiple_of(3))
    }

    fn device(&self) -> Device {
        if self.flag { device() } else { other_device() }
    }

    /// The number of the secret that follows, if a refresh token is used for the first time.
    fn successor(&self) -> u64 {
        100 + self.n
    }

    async fn open_account(&self, store: &dyn Store) -> String {
        let names = ["ada", "grace", "ace", "асе", "linus"];
        let name = names[usize::try_from(self.secret % 5).unwrap()];
        let mut new = account(self.account, name);
        if self.flag {
            let even = usize::from(self.now.is_multiple_of(2));
            let addresses = ["Ada@example.com", "ada@example.com"];
            new = account_at(self.account, name, addresses[even]);
        }
        if self.other.is_multiple_of(2) {
            let session = self.new_session(store).await;
            new.session = Some(NewSession { event: event(1_010_000 + self.n), ..session });
        }
        if self.other.is_multiple_of(7) {
            new.account.role = Role::Administrator;
        }
        new.event = event(10_000 + self.n);
        print(store.open_account(new).await)
    }

    async fn spend_setup(&self, store: &dyn Store) -> String {
        let name = if self.other.is_multiple_of(2) { "linus" } else { "margaret" };
        let mut new = account(self.account, name);
        new.event = event(10_000 + self.n);
        print(store.spend_setup(key(self.secret % 3), new, NOON).await)
    }

    async fn bind(&self, store: &dyn Store) -> String {
        let new = NewBinding {
            sid: SessionId(self.sid.into()),
            bound: Bound { key: Thumbprint([1; 32]), at: after(self.now) },
            jwk: self.secret.to_string(),
            spent: self.other,
            event: event(10_000 + self.n),
        };
        print(store.bind(new).await)
    }

    async fn answer(&self, store: &dyn Store) -> String {
        let id = AccountId(self.account.into());
        let open = store.notices_of(id, None, 99).await.unwrap().items;
        let chosen = open.get(usize::try_from(self.other % 3).unwrap());
        let Some(notice) = chosen else { return String::new() };
        print(store.answer_notice(id, notice.id, event(10_000 + self.n)).await)
    }

    /// Acts, and prints the answer.
    async fn act(&self, store: &dyn Store) -> String {
        let (sid, id) = (SessionId(self.sid.into()), AccountId(self.account.into()));
        let (n, now) = (10_000 + self.n, after(self.now));
        let json = "7".repeat(usize::try_from(self.secret * 2000).unwrap());
        let name = data_key(["a", "b", "c"][usize::try_from(self.epoch).unwrap()]);
        let condition =
            if self.flag { Precondition::Any } else { Precondition::Version(self.other % 4) };
        match self.kind {
            0 => self.open_account(store).await,
            1..=4 => print(store.open_session(self.new_session(store).await).await),
            5 => print(store.touch(vec![(sid, self.touch(now))]).await),
            6 => {
                let Some(kept) = self.kept(store).await else { return String::new() };
                let owner = kept.session.owner.map_or(id, |owner| owner.account);
                let mut renamed = renamed(&kept, self.secret, self.epoch_of(owner, store).await);
                // One time in twelve another was faster.
                renamed.session.generation -= u32::from(self.other.is_multiple_of(12));
                let proved = self.version_of(owner, store).await;
                let refresh = self.flag.then(|| refresh_token(self.sid, self.other));
                let device = self.device();
                let event = event(n);
                print(store.rename(NewSecret { renamed, device, proved, refresh, event }).await)
            }
            7 => {
                let Some(kept) = self.kept(store).await else { return String::new() };
                let Some(owner) = kept.session.owner else { return String::new() };
                let expected = self.epoch_of(owner.account, store).await;
                let epoch = if self.flag { expected.next() } else { expected };
                let asked = PasswordChange {
                    expected,
                    expected_password: self.version_of(owner.account, store).await,
                    renamed: renamed(&kept, self.secret, epoch),
                    device: self.device(),
                    event: event(n),
                    ended: ending(n + 1_000_000),
                    ..change(&kept, 1 + u8::try_from(self.other).unwrap())
                };
                print(store.change_password(asked).await)
            }
            8 => print(store.end_session(sid, ending(n)).await),
            9 => print(store.end_sessions_of(id, self.flag.then_some(sid), ending(n)).await),
            10 if self.flag => print(store.sweep(&Lifetimes::default(), now, 2).await),
            10 => print(store.sweep_revocations(now, 3).await),
            11 | 12 => print(store.write_datum(sid, &name, &json, condition).await),
            13 => print(store.remove_datum(sid, &name, condition).await),
            14..=17 => {
                let salt = u8::try_from(self.secret).unwrap();
                let mut presented = presented(&secret(self.refresh), salt, now);
                presented.successor = key(self.successor());
                presented.ip = self.ip();
                presented.withheld = self.kind == 17 && self.flag;
                presented.reuse = event(n);
                print(store.rotate(presented).await)
            }
            18 if self.flag => print(store.keep_setup(key(self.secret % 3), now).await),
            18 => self.spend_setup(store).await,
            19 => self.bind(store).await,
            20 => print(store.spend_challenge(sid, self.secret).await),
            21 => self.answer(store).await,
            _ => print(store.rehash(id, &password(1), password(9)).await),
        }
    }
}

fn print(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// Everything that can be read.
async fn everything(store: &dyn Store) -> Vec<String> {
    let mut lines = vec![print(store.accounts(None, 99).await), print(store.head().await)];
    for id in (1..=4).map(AccountId) {
        lines.push(print(store.password(id).await.unwrap().map(|it| (it.0.expose(), it.1))));
        lines.push(print(store.sessions_of(id, None, 99).await));
        lines.push(print(store.events_of(id, None, 99).await));
        lines.push(print(store.notices_of(id, None, 99).await));
    }
    for n in 1..=24 {
        lines.push(print(store.session_by_key(key(n)).await));
        lines.push(print(store.session_of_refresh(key(n)).await));
    }
    for sid in (1..=12).map(SessionId) {
        lines.push(print(store.session(sid).await));
        lines.push(print(store.data(sid).await));
        lines.push(print(store.binding(sid).await));
        lines.push(print(store.tokens_of(&[sid]).await));
    }
    lines.extend(store.revocations(0, 9999).await.unwrap().iter().map(print));
    lines.extend(store.events(99_999).await.unwrap().iter().map(print));
    lines
}

async fn check_alike(left: &dyn Store, right: &dyn Store, seed: u64, n: u64) {
    let (left, right) = (everything(left).await, everything(right).await);
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left, right, "seed {seed}, after act {n}");
    }
    assert_eq!(left.len(), right.len(), "seed {seed}, after act {n}");
}
