//! The fuzz targets over their seeds and over changed copies of them, in every test run. What a fuzzer
//! found in ten minutes each is told in docs/why/fuzzing.md.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::path::Path;

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

/// How many changed copies of each seed are tried.
const COPIES: u64 = 400;

/// A small generator (SplitMix64): the same copies in every run, so that a finding is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// A copy in which a few things are otherwise, with parts of another seed.
    fn change(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut copy = seed.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(copy.len());
            let end = (at + self.below(16)).min(copy.len());
            match self.below(6) {
                0 if !copy.is_empty() => copy[at] ^= 1 << self.below(8),
                1 => copy.truncate(at),
                2 => drop(copy.splice(at..at, copy[at..end].to_vec())),
                3 => drop(copy.drain(at..end)),
                4 => {
                    let from = self.below(other.len());
                    drop(copy.splice(at..end, other[from..].iter().copied().take(32)));
                }
                _ => copy.insert(at, [b'"', b'.', b';', b'=', 0, 0xFF, b'{', b' '][self.below(8)]),
            }
        }
        copy
    }
}

fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let read =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.unwrap().path()).unwrap();
    let seeds: Vec<Vec<u8>> = std::fs::read_dir(folder).unwrap().map(read).collect();
    assert!(!seeds.is_empty(), "no seeds for {name}");
    let mut random = Random(1);
    for (number, seed) in seeds.iter().enumerate() {
        target(seed);
        let other = &seeds[(number + 1) % seeds.len()];
        for _ in 0..COPIES {
            target(&random.change(seed, other));
        }
    }
}

#[test]
fn tokens() {
    run("jws", targets::jws);
    targets::jws(targets::good_token().as_bytes());
}

#[test]
fn keys() {
    run("jwk", targets::jwk);
}

#[test]
fn proofs() {
    run("dpop", targets::dpop);
}

#[test]
fn cookies() {
    run("cookie_header", targets::cookie_header);
}

#[test]
fn set_cookies() {
    run("set_cookie", targets::set_cookie);
}

#[test]
fn json() {
    run("json", targets::json);
}
