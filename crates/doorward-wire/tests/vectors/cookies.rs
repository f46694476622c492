//! Cookies: what user agents make of `Set-Cookie`, held against our linter, and what they send,
//! given to our reader.

mod chromium;
mod http_state;

use doorward_wire::UnixTime;
use doorward_wire::cookie::explain::{Kept, Received, Request, SetCookie};

/// What a browser stores: one cookie of a name, domain and path, in the order they were made.
struct Jar {
    cookies: Vec<Kept>,
    now: UnixTime,
}

impl Jar {
    fn empty(now: UnixTime) -> Self {
        Self { cookies: Vec::new(), now }
    }

    /// Takes a line in, as section 5.7 ends (steps 23 and 24).
    fn receive(&mut self, line: &[u8], request: &Request) {
        let Received { kept, taken_away, .. } = SetCookie::parse(line).keep(request, self.now);
        let Some(new) = kept.as_ref().or(taken_away.as_ref()) else { return };
        let same = |old: &Kept| {
            (&old.name, &old.domain, old.host_only, &old.path)
                == (&new.name, &new.domain, new.host_only, &new.path)
        };
        let place = self.cookies.iter().position(same);
        match (place, kept) {
            (Some(place), Some(kept)) => self.cookies[place] = kept,
            (Some(place), None) => drop(self.cookies.remove(place)),
            (None, Some(kept)) => self.cookies.push(kept),
            (None, None) => {}
        }
    }

    /// The `Cookie` header of a request (section 5.8.3, steps 3 to 6).
    fn header(&self, request: &Request) -> Option<Vec<u8>> {
        let sent = |cookie: &&Kept| cookie.send(request, self.now).is_sent();
        let mut cookies: Vec<&Kept> = self.cookies.iter().filter(sent).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<Vec<u8>> = cookies.iter().map(|cookie| cookie.pair().to_vec()).collect();
        (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
    }
}
