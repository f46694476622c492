use std::collections::BTreeSet;

use super::*;

mod plain;

/// As many texts as are judged the plain way in about a second without optimisation.
const TEXT_COUNT: usize = 800;

/// Alphabets, rows of three keyboards, and what is on none.
const ROWS: [&str; 12] = [
    "1234567890-=",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiopü+",
    "yxcvbnm,.-",
    "qsdfghjklmùöä",
    "1qaz2wsx3edc4rfv",
    "!@#$%^&*()",
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдежзиклм",
    "xq \u{3000}k🦀\0火",
];

#[track_caller]
fn check(text: &str, word: &str) {
    assert_eq!(is_guessed_first(text), plain::is_guessed_first(text), "{text:?}");
    assert_eq!(is_stretched(text, word), plain::is_stretched(text, word), "{text:?} {word:?}");
}

fn is_listed(word: &str) -> bool {
    entries_under(head(word.bytes())).any(|entry| entry == word)
}

// The list.

#[test]
fn the_list_is_sorted_plain_and_small() {
    let entries: Vec<_> = LIST.lines().collect();
    assert!(entries.is_sorted_by(|a, b| a < b));
    assert!(LIST.is_ascii() && LIST.ends_with('\n') && LIST.len() < 200_000);
    for entry in &entries {
        assert!((ENTRY_MIN..=ENTRY_MAX).contains(&entry.len()), "{entry}");
        assert!(!entry.contains(|c: char| c.is_whitespace() || c.is_control()), "{entry}");
        assert_eq!(*entry, entry.to_lowercase());
    }
}

#[test]
fn every_entry_is_found_and_nothing_beside_it() {
    for entry in LIST.lines() {
        assert!(is_listed(entry), "{entry}");
        assert!(!is_listed(&format!("{entry}\n")) && !is_listed(&format!("{entry} ")));
    }
    for absent in ["", "\n", " ", "~", "!", "zzzzzzzzzzzzzzzzzz~", "password\npassword"] {
        assert!(!is_listed(absent), "{absent:?}");
    }
}

#[test]
fn more_than_three_thousand_fit_any_policy() {
    // OWASP ASVS 5.0, 6.2.4: the top 3000 that match the policy.
    assert!(LIST.lines().filter(|entry| entry.len() >= 8).count() >= 16_000);
    let fits =
        |policy| LIST.lines().map(|entry| entry.repeat(2)).filter(move |text| text.len() >= policy);
    for policy in [8, 15] {
        let refused = fits(policy).step_by(4).filter(|text| is_guessed_first(text));
        assert_eq!(refused.take(3001).count(), 3001);
    }
}

// The verdicts.

#[test]
fn runs_of_keys_are_runs_on_every_common_keyboard() {
    for run in [
        "123456789012345",
        "098765432109876",
        "qwertyuiopasdfg",
        "qwertzuiopasdfg",
        "qwertzuiopü+äöl",
        "azertyuiopqsdfg",
        "1qaz2wsx3edc4rfv",
        "1q2w3e4r5t6y7u8i",
        "qazwsxedcrfvtgb",
        "zxcvbnm,./zxcvb",
        "!@#$%^&*()!@#$%",
        "abcdefghijklmno",
        "zyxwvutsrqponml",
        "абвгдежзийклмно",
        "111222333444555",
    ] {
        let all: Vec<char> = run.chars().collect();
        let text = Text { all: &all, reaches: &reaches(&all) };
        assert!(text.beside_runs(0, all.len()) <= REST_MAX, "{run}");
    }
}

#[test]
fn ordinary_phrases_are_not_guessed_first() {
    for phrase in ["four words picked blindly", "assess referred trees", "elements federal"] {
        assert!(!is_guessed_first(phrase), "{phrase}");
    }
}

// The work.

#[test]
fn keys_touch_as_they_do_the_plain_way() {
    let keys: BTreeSet<char> = ROWS.concat().chars().chain("^:ÿĀ\u{ff11}".chars()).collect();
    for &left in &keys {
        for &right in &keys {
            assert_eq!(touch(left, right), plain::touch(left, right), "{left:?} {right:?}");
        }
    }
}

#[test]
fn the_quick_way_comes_to_the_verdicts_of_the_plain_way() {
    let entries: Vec<_> = LIST.lines().collect();
    let mut dice = Dice { state: 0x9E37_79B9_7F4A_7C15, entries: &entries };
    let (mut refused_count, mut known_count) = (0, 0);
    for _ in 0..TEXT_COUNT {
        let (text, word) = (dice.text(), dice.piece());
        // A known word cuts short the runs beside it, so it matters what is in between.
        let around = format!("{word}{}{word}{}", dice.piece(), dice.piece());
        let part: String = text.chars().skip(dice.below(9)).take(1 + dice.below(9)).collect();
        check(&text, &part);
        check(&around, &word);
        refused_count += usize::from(is_guessed_first(&text));
        known_count += usize::from(is_stretched(&around, &word));
    }
    for count in [refused_count, known_count] {
        assert!((TEXT_COUNT / 10..TEXT_COUNT * 9 / 10).contains(&count), "{count}");
    }
}

#[test]
fn what_is_just_too_much_beside_an_entry_is_too_much_either_way() {
    for entry in LIST.lines().step_by(2000) {
        for text in [
            format!("x{entry}1234!{entry}"),
            format!("x{entry}123!{entry}"),
            format!("x{entry}q{entry}k"),
            format!("{entry}{}", &entry[..3]),
            format!("{entry} {entry} {entry} 7"),
            format!("1111111111{entry}xqz1111111111{entry}"),
        ] {
            check(&text, entry);
        }
    }
}

/// Texts of many kinds, the same ones every time.
struct Dice<'a> {
    state: u64,
    entries: &'a [&'a str],
}

impl Dice<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.state >> 33).unwrap() % end
    }

    /// An entry, a part of one, a run of keys, or something else.
    fn piece(&mut self) -> String {
        let entry = self.entries[self.below(self.entries.len())];
        let (start, length) = (self.below(9), 1 + self.below(9));
        match self.below(8) {
            0..3 => entry.to_owned(),
            3 => entry.chars().skip(start % 4).take(length).collect(),
            4 => entry[..1].repeat(length * 2),
            _ => {
                let row = ROWS[self.below(ROWS.len())];
                let row: Vec<char> = row.chars().cycle().skip(start).take(length).collect();
                if start % 2 == 0 { row.iter().collect() } else { row.iter().rev().collect() }
            }
        }
    }

    /// A few pieces, and again, and cut off somewhere below the limit.
    fn text(&mut self) -> String {
        let pieces: Vec<_> = (0..=self.below(3)).map(|_| self.piece()).collect();
        let mut text = String::new();
        for _ in 0..=self.below(9) {
            text += &pieces[self.below(pieces.len())];
            text += [" ", "!", "", "", "", ""][self.below(6)];
        }
        text.chars().take([15, 20, 20, 20, 40, 40, 40, 128][self.below(8)]).collect()
    }
}
