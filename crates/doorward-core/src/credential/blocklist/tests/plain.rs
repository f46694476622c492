//! What the blocklist refuses, the plain way: every entry within the text is tried, one by one.
//!
//! It is what the verdicts of the quick way are held against, and nothing else: a text made for it
//! keeps it busy for ten milliseconds. Only the list itself is looked up in another way.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{ENTRY_MAX, ENTRY_MIN, LIST, REST_MAX, RUN_MIN, UNIT_MIN};

/// Whether `folded` (NFC, lower case) is guessed first, with its spaces or without them.
pub(super) fn is_guessed_first(folded: &str) -> bool {
    let closed_up: String = folded.chars().filter(|c| !c.is_whitespace()).collect();
    is_worn(folded) || is_worn(&closed_up)
}

/// Whether `folded` is `word`, repeated or lengthened by runs of keys. An empty word is none.
pub(super) fn is_stretched(folded: &str, word: &str) -> bool {
    if word.is_empty() || !folded.contains(word) {
        return false;
    }
    folded.split(word).map(|rest| beside_runs(&characters(rest))).sum::<usize>() <= REST_MAX
}

fn is_worn(folded: &str) -> bool {
    if is_listed(folded) {
        return true;
    }
    let all = characters(folded);
    let unit = repeated_unit(&all).map(|unit| unit.iter().collect::<String>());
    if unit.is_some_and(|unit| unit.chars().count() < UNIT_MIN || is_worn(&unit)) {
        return true;
    }
    beside_runs(&all) <= REST_MAX || entries_within(folded).any(|entry| is_stretched(folded, entry))
}

/// Every listed entry that occurs in the text.
fn entries_within(folded: &str) -> impl Iterator<Item = &str> {
    (0..folded.len())
        .flat_map(|start| (ENTRY_MIN..=ENTRY_MAX).map(move |length| start..start + length))
        .filter_map(|range| folded.get(range))
        .filter(|part| is_listed(part))
}

fn is_listed(word: &str) -> bool {
    static ENTRIES: LazyLock<HashSet<&str>> = LazyLock::new(|| LIST.lines().collect());
    ENTRIES.contains(word)
}

/// The shortest text that this one repeats at least twice, if there is one. The last time may be
/// cut short: `abc123abc123abc`.
fn repeated_unit(all: &[char]) -> Option<&[char]> {
    (1..=all.len() / 2)
        .find(|&length| all[length..].iter().eq(&all[..all.len() - length]))
        .map(|length| &all[..length])
}

/// How many characters are not part of a run of keys.
fn beside_runs(all: &[char]) -> usize {
    let (mut rest, mut beside_count) = (all, 0);
    while !rest.is_empty() {
        let run = longest_run(rest);
        if run < RUN_MIN {
            beside_count += 1;
        }
        rest = &rest[if run < RUN_MIN { 1 } else { run }..];
    }
    beside_count
}

/// How many characters from the first go one way: up or down an alphabet (or standing still), or
/// from key to key. One way, for `assess` and `referred` are words, though each of their letters
/// is near the next in some way.
fn longest_run(all: &[char]) -> usize {
    let along = |goes: fn(char, char) -> bool| {
        1 + all.windows(2).take_while(|pair| goes(pair[0], pair[1])).count()
    };
    let up = |left, right| left == right || follows(left, right);
    let down = |left, right| left == right || follows(right, left);
    along(up).max(along(down)).max(along(touch))
}

/// Whether one character comes after the other in its alphabet, or in counting.
fn follows(left: char, right: char) -> bool {
    u32::from(left) + 1 == u32::from(right) || matches!((left, right), ('9', '0') | ('z', 'a'))
}

/// Whether two keys lie beside each other.
pub(super) fn touch(left: char, right: char) -> bool {
    KEYBOARDS.iter().any(|rows| {
        let place = |c| {
            let c = unshift(c);
            rows.iter()
                .enumerate()
                .find_map(|(y, row)| row.chars().position(|key| key == c).map(|x| (x, y)))
        };
        // Rows are laid half a key to the right of the one above: a key touches the one above it
        // and the one above it to the right. After the lowest key, `qaz` goes on with `wsx`.
        match (place(left), place(right)) {
            (Some((x, y)), Some((u, v))) if y == v => x.abs_diff(u) == 1,
            (Some((x, y)), Some((u, v))) if v + 1 == y => u == x || u == x + 1,
            (Some((x, y)), Some((u, v))) if y + 1 == v => x == u || x == u + 1,
            (Some((x, 3)), Some((u, 0 | 1))) => u == x + 1,
            _ => false,
        }
    })
}

/// The rows of the keyboards most people have, from the top.
const KEYBOARDS: [[&str; 4]; 3] = [
    ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"],
    ["1234567890-=", "qwertzuiopü+", "asdfghjklöä", "yxcvbnm,.-"],
    ["1234567890-=", "azertyuiop^$", "qsdfghjklmù", "wxcvbn,;:!"],
];

/// The digit on the key of an American keyboard that this symbol is on.
fn unshift(c: char) -> char {
    match "!@#$%^&*()".chars().position(|symbol| symbol == c) {
        Some(position) => "1234567890".chars().nth(position).unwrap_or(c),
        None => c,
    }
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}
