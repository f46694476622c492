//! The blocklist: the passwords that are guessed first, and what people stretch them into.
//!
//! `blocklist.txt` holds 19 000 passwords from the frequency lists of two projects, in lower case
//! and sorted, so that it is searched where it lies in the program and takes no memory of its own:
//! every entry of 8 characters or more from zxcvbn (MIT) and from Django's `common-passwords.txt`
//! (BSD-3-Clause), and the 3 000 most frequent of 5 to 7 characters, which are there because of what
//! follows. `blocklist.LICENSES` has both licences, and how the file was made.
//!
//! Hardly any frequent password has 15 characters, which is the policy's default. What people do
//! when 15 are demanded is to stretch a shorter one: write it twice, or add a run of keys. So the
//! list stands for all of its stretchings too, which are what is guessed first at that length:
//!
//! - any text of fewer than 8 characters, repeated; a guessed one of any length, repeated;
//! - runs of keys and nothing else: `123456789012345`, `qwertyuiopasdfg`, `1qaz2wsx3edc4rfv`;
//! - one entry, as often as you like, with runs of keys: `password1234567`, `passwordpassword!`.
//!
//! It is always the whole password that is judged (NIST SP 800-63B-4 forbids to look for words
//! *within* it): `my password is longer` is nobody's first guess.
//!
//! # What this module answers
//!
//! - *A password made to be judged for long*: whoever registers may send any text. So what can be
//!   worked out once per text is not worked out once per entry, and only entries that could account
//!   for both ends of the text are tried. The tests hold this against the plain way to do it.

use zeroize::{Zeroize, Zeroizing};

#[cfg(test)]
mod tests;

const LIST: &str = include_str!("blocklist.txt");

/// The longest and the shortest entry, in bytes.
const ENTRY_MAX: usize = 21;
const ENTRY_MIN: usize = 5;
/// The fewest characters we call a run. Three happen in words: `were`, `deed`.
const RUN_MIN: usize = 4;
/// Repeating less than this adds no length: it is the shortest that any policy may allow.
const UNIT_MIN: usize = 8;
/// How many characters may stand beside a stretched password without making it another: `!`, `1!`.
const REST_MAX: usize = 2;

/// Whether `folded` (NFC, lower case) is guessed first, with its spaces or without them.
pub(super) fn is_guessed_first(folded: &str) -> bool {
    let all = gathered(folded.len(), folded.chars());
    let closed_up = gathered(all.len(), all.iter().copied().filter(|c| !c.is_whitespace()));
    is_worn(&all) || (closed_up.len() < all.len() && is_worn(&closed_up))
}

/// Whether `folded` is `word`, repeated or lengthened by runs of keys. An empty word is none.
pub(super) fn is_stretched(folded: &str, word: &str) -> bool {
    if word.is_empty() || !folded.contains(word) {
        return false;
    }
    let all = gathered(folded.len(), folded.chars());
    let word = gathered(word.len(), word.chars());
    let occurrences = (0..all.len()).filter(|&at| all[at..].starts_with(&word));
    Text { all: &all, reaches: &reaches(&all) }.is_all_but_runs(word.len(), occurrences)
}

fn is_worn(all: &[char]) -> bool {
    Text { all, reaches: &reaches(all) }.is_worn()
}

/// A text, and how far a run of keys goes on from each of its characters.
struct Text<'a> {
    all: &'a [char],
    reaches: &'a [usize],
}

impl Text<'_> {
    /// Whether this is nothing but runs, or something worn repeated, or one entry stretched.
    fn is_worn(&self) -> bool {
        if self.beside_runs(0, self.all.len()) <= REST_MAX {
            return true;
        }
        let unit = repeated_unit(self.all).map(|length| self.first(length));
        unit.is_some_and(|unit| unit.all.len() < UNIT_MIN || unit.is_worn())
            || self.is_an_entry_stretched()
    }

    fn first(&self, length: usize) -> Self {
        Self { all: &self.all[..length], reaches: &self.reaches[..length] }
    }

    /// Whether this is one entry of the list, with runs of keys and little else around it.
    fn is_an_entry_stretched(&self) -> bool {
        let length = self.all.len();
        let windows = self.all.windows(ENTRY_MIN);
        let heads = gathered(length, windows.map(|window| head(window.iter().copied())));
        // Little but runs is before the first time, and after the last. Of a phrase that leaves a
        // few places at each end; of runs with a phrase behind them, where an entry begins at every
        // character, it leaves those that also occur where the phrase ends.
        let last_start = (0..=length).rfind(|&start| self.beside_runs(0, start) <= REST_MAX);
        let first_end = (0..=length).find(|&end| self.beside_runs(end, length) <= REST_MAX);
        let early = &heads[..heads.len().min(last_start.unwrap_or(0) + 1)];
        let late = first_end.unwrap_or(length).saturating_sub(ENTRY_MAX);
        let late = &heads[late.min(heads.len())..];

        let both = early.iter().copied().filter(|head| *head != NO_HEAD && late.contains(head));
        let mut candidates = gathered(early.len(), both);
        candidates.sort_unstable();
        candidates.chunk_by(|a, b| a == b).any(|same| self.is_entry_under(same[0], &heads))
    }

    /// Whether this is one of the entries that begin with `head`, stretched.
    fn is_entry_under(&self, head: u64, heads: &[u64]) -> bool {
        let mut entries = entries_under(head).peekable();
        if entries.peek().is_none() {
            return false;
        }
        let places = gathered(heads.len(), (0..heads.len()).filter(|&at| heads[at] == head));
        entries.any(|entry| {
            let occurs = |at: &usize| {
                let here = self.all.get(at + ENTRY_MIN..at + entry.len());
                let same = |(&here, byte)| here == char::from(byte);
                here.is_some_and(|here| here.iter().zip(entry.bytes().skip(ENTRY_MIN)).all(same))
            };
            self.is_all_but_runs(entry.len(), places.iter().copied().filter(occurs))
        })
    }

    /// Whether little but runs of keys is left of this when a word is taken out, which has this
    /// `length` and begins at these places, from the left. No word at all is not enough.
    fn is_all_but_runs(&self, length: usize, occurrences: impl Iterator<Item = usize>) -> bool {
        let (mut end, mut beside_count) = (0, 0);
        for start in occurrences {
            if start >= end {
                beside_count += self.beside_runs(end, start);
                end = start + length;
            }
            if beside_count > REST_MAX {
                return false;
            }
        }
        end > 0 && beside_count + self.beside_runs(end, self.all.len()) <= REST_MAX
    }

    /// How many characters of this part are not in a run of keys. From too many on, no more are
    /// counted.
    fn beside_runs(&self, start: usize, end: usize) -> usize {
        let (mut at, mut beside_count) = (start, 0);
        while at < end && beside_count <= REST_MAX {
            let run = self.reaches[at].min(end - at);
            beside_count += usize::from(run < RUN_MIN);
            at += if run < RUN_MIN { 1 } else { run };
        }
        beside_count
    }
}

/// What entries are found by: their first characters, as a number in the order of the list.
fn head<C>(characters: impl Iterator<Item = C>) -> u64
where
    u8: TryFrom<C>,
{
    let push = |head, c| Some(head << 8 | u64::from(u8::try_from(c).ok()?));
    characters.take(ENTRY_MIN).try_fold(0, push).unwrap_or(NO_HEAD)
}

/// The head of nothing listed: no entry has a NUL.
const NO_HEAD: u64 = 0;

/// The entries that begin with `wanted`: a binary search over the list where it lies.
fn entries_under(wanted: u64) -> impl Iterator<Item = &'static str> {
    let bytes = LIST.as_bytes();
    // Both are always where a line begins, or at the end.
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = bytes[low..middle].iter().rposition(|&byte| byte == b'\n');
        let line = before.map_or(low, |newline| low + newline + 1);
        if head(bytes[line..].iter().copied()) < wanted {
            let newline = bytes[line..].iter().position(|&byte| byte == b'\n');
            low = newline.map_or(high, |newline| line + newline + 1);
        } else {
            high = line;
        }
    }
    LIST[low..].lines().take_while(move |entry| head(entry.bytes()) == wanted)
}

/// The shortest text that this one repeats at least twice, if there is one: its length. The last
/// time may be cut short: `abc123abc123abc`.
fn repeated_unit(all: &[char]) -> Option<usize> {
    (1..=all.len() / 2).find(|&length| all[length..] == all[..all.len() - length])
}

/// From each character, how many go one way: up or down an alphabet (or standing still), or from
/// key to key. One way, for `assess` and `referred` are words, though each of their letters is near
/// the next in some way.
fn reaches(all: &[char]) -> Zeroizing<Vec<usize>> {
    let mut reaches = gathered(all.len(), all.iter().map(|_| 1));
    let mut ways = [1; 3];
    for (at, pair) in all.windows(2).enumerate().rev() {
        let (left, right) = (pair[0], pair[1]);
        let goes = [
            left == right || follows(left, right),
            left == right || follows(right, left),
            touch(left, right),
        ];
        for (way, goes) in ways.iter_mut().zip(goes) {
            *way = if goes { *way + 1 } else { 1 };
        }
        reaches[at] = ways[0].max(ways[1]).max(ways[2]);
    }
    reaches
}

/// Whether one character comes after the other in its alphabet, or in counting.
fn follows(left: char, right: char) -> bool {
    u32::from(left) + 1 == u32::from(right) || matches!((left, right), ('9', '0') | ('z', 'a'))
}

/// Whether two keys lie beside each other.
fn touch(left: char, right: char) -> bool {
    let (Ok(left), Ok(right)) = (u8::try_from(left), u8::try_from(right)) else {
        return false;
    };
    KEYS.iter().any(|keys| {
        // Rows are laid half a key to the right of the one above: a key touches the one above it
        // and the one above it to the right. After the lowest key, `qaz` goes on with `wsx`.
        match (keys[usize::from(left)], keys[usize::from(right)]) {
            (Some((x, y)), Some((u, v))) if y == v => x.abs_diff(u) == 1,
            (Some((x, y)), Some((u, v))) if v + 1 == y => u == x || u == x + 1,
            (Some((x, y)), Some((u, v))) if y + 1 == v => x == u || x == u + 1,
            (Some((x, 3)), Some((u, 0 | 1))) => u == x + 1,
            _ => false,
        }
    })
}

/// The rows of the keyboards most people have, from the top, in Latin-1: `ü`, `ö` and `ä`, `ù`.
const KEYBOARDS: [[&[u8]; 4]; 3] = [
    [b"1234567890-=", b"qwertyuiop[]", b"asdfghjkl;'", b"zxcvbnm,./"],
    [b"1234567890-=", b"qwertzuiop\xFC+", b"asdfghjkl\xF6\xE4", b"yxcvbnm,.-"],
    [b"1234567890-=", b"azertyuiop^$", b"qsdfghjklm\xF9", b"wxcvbn,;:!"],
];

/// The symbols that an American keyboard has on its digits, from `1`.
const SYMBOLS: &[u8] = b"!@#$%^&*()";

/// Where every character of Latin-1 is on each keyboard: how far from the left, in which row.
static KEYS: [[Option<(u8, u8)>; 256]; 3] =
    [keys(&KEYBOARDS[0]), keys(&KEYBOARDS[1]), keys(&KEYBOARDS[2])];

/// Of two keys with one character the upper counts, and a symbol is always on its digit.
const fn keys(rows: &[&[u8]; 4]) -> [Option<(u8, u8)>; 256] {
    let mut keys = [None; 256];
    let mut y = 4;
    while y > 0 {
        y -= 1;
        let row = rows[y as usize];
        let mut x = 0;
        while (x as usize) < row.len() {
            keys[row[x as usize] as usize] = Some((x, y));
            x += 1;
        }
    }
    let mut x = 0;
    while x < SYMBOLS.len() {
        keys[SYMBOLS[x] as usize] = keys[rows[0][x] as usize];
        x += 1;
    }
    keys
}

/// A list that is wiped, with room for all it is made of: growing would leave half of it behind.
fn gathered<T: Zeroize>(length_max: usize, items: impl Iterator<Item = T>) -> Zeroizing<Vec<T>> {
    let mut gathered = Zeroizing::new(Vec::with_capacity(length_max));
    gathered.extend(items);
    gathered
}
