use std::fs;

use super::*;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");

/// Another implementation's answer.
fn oracle(password: &[u8], salt: &[u8], params: HashParams, tag_bytes: usize) -> Vec<u8> {
    let HashParams { memory_kib, passes, lanes } = params;
    let params = argon2::Params::new(memory_kib, passes, lanes, Some(tag_bytes)).unwrap();
    let mut tag = vec![0; tag_bytes];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(password, salt, &mut tag)
        .unwrap();
    tag
}

fn cheap_hasher() -> Hasher {
    Hasher::new(&HashParams::dangerous_cheap()).unwrap()
}

/// Vectors lie beside the project, and may be absent from a copy of it.
fn vectors(path: &str) -> Option<String> {
    let text = fs::read_to_string(format!("{SHARED}/{path}")).ok();
    if text.is_none() {
        #[expect(clippy::print_stderr, reason = "a skipped test says why")]
        {
            eprintln!("skipped: the vectors {path} are not here");
        }
    }
    text
}

#[test]
fn our_engine_agrees_with_another_implementation() {
    let mut hasher = cheap_hasher();
    let passwords: [&[u8]; 8] = [
        b"",
        b"\0",
        b"abc\0def",
        b"four words picked blindly",
        "žluťoučký 🦀".as_bytes(),
        &[0xFF; 72],
        &[b'x'; 128],
        &[b'y'; 1024],
    ];
    let salts: [&[u8]; 4] = [b"12345678", &[0; 16], b"saltsaltsaltsalt", &[0xA5; 64]];
    let mut compared_count = 0;
    for (memory_kib, passes, lanes) in [
        (8, 1, 1),
        (9, 1, 1),
        (15, 2, 1),
        (64, 1, 1),
        (64, 3, 2),
        (100, 2, 3),
        (256, 4, 4),
        (512, 1, 8),
        (1024, 2, 1),
        (1000, 3, 7),
        (8, 16, 1),
    ] {
        let params = HashParams { memory_kib, passes, lanes };
        for password in passwords {
            for (salt, tag_bytes) in salts.iter().zip([16, 32, 33, 64]) {
                let mut tag = vec![0; tag_bytes];
                hasher.fill(password, &params, salt, &mut tag).unwrap();
                assert_eq!(
                    tag,
                    oracle(password, salt, params, tag_bytes),
                    "{params:?} {password:?}"
                );
                compared_count += 1;
            }
        }
    }
    assert_eq!(compared_count, 11 * 8 * 4);
}

#[test]
fn our_engine_agrees_with_another_implementation_at_costs_in_use() {
    let mut hasher = Hasher::new(&HashParams::DEFAULT).unwrap();
    for (memory_kib, passes, lanes) in [
        (19_456, 2, 1),
        (47_104, 1, 1),
        (7168, 5, 1),
        (12_288, 3, 1),
        (19_456, 2, 4),
        (65_536, 1, 4),
    ] {
        let params = HashParams::new(memory_kib, passes, lanes).unwrap();
        let mut tag = [0; 32];
        hasher.fill(b"four words picked blindly", &params, &[3; 16], &mut tag).unwrap();
        assert_eq!(tag[..], oracle(b"four words picked blindly", &[3; 16], params, 32)[..]);
    }
}

#[test]
fn memory_used_before_changes_no_later_hash() {
    // Large after small after large: each must be as if it were the first.
    let mut hasher = Hasher::new(&HashParams { memory_kib: 1024, passes: 1, lanes: 1 }).unwrap();
    for memory_kib in [1024, 8, 512, 16, 1024, 333, 1024] {
        let params = HashParams { memory_kib, passes: 2, lanes: 1 };
        let mut tag = [0; 32];
        hasher.fill(b"four words", &params, &[3; 16], &mut tag).unwrap();
        assert_eq!(tag[..], oracle(b"four words", &[3; 16], params, 32)[..], "{memory_kib}");
    }
}

#[test]
fn one_dear_hash_does_not_make_the_memory_kept_grow() {
    let mut hasher = cheap_hasher();
    assert_eq!(hasher.kept_kib(), 8);
    let mut tag = [0; 32];
    let dear = HashParams { memory_kib: 4096, passes: 1, lanes: 1 };
    hasher.fill(b"four words", &dear, &[3; 16], &mut tag).unwrap();
    assert!(hasher.kept_kib() <= 8);
    hasher.fill(b"four words", &HashParams::dangerous_cheap(), &[3; 16], &mut tag).unwrap();
    assert_eq!(hasher.kept_kib(), 8);
}

#[test]
fn the_reference_vector_of_argon2id_is_met() {
    let Some(text) = vectors("argon2/argon2id") else { return };
    let tag_line = text.lines().rfind(|line| line.starts_with("Tag: ")).unwrap();
    let expected: Vec<u8> = tag_line["Tag: ".len()..]
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let params = HashParams { memory_kib: 32, passes: 3, lanes: 4 };
    let mut engine = params.argon2(32).unwrap().hasher();
    let mut tag = [0; 32];
    // With a secret and associated data, which Doorward does not use; the vector has no other.
    engine.hash_into_with_ad(&[1; 32], &[2; 16], &[3; 8], &[4; 12], &mut tag).unwrap();
    assert_eq!(tag[..], expected);
}

#[test]
fn hashes_made_by_other_software_are_verified() {
    let Some(text) = vectors("password-hash/interop.json") else { return };
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut hasher = cheap_hasher();
    let mut read_count = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let (kept, password) =
            (vector["hash"].as_str().unwrap(), vector["password"].as_str().unwrap());
        if vector["scheme"] == "argon2id" {
            let kept = PasswordHash::parse(kept).unwrap();
            let verdict = kept.matches(&mut hasher, password.as_bytes()).unwrap();
            assert_eq!(Some(verdict), vector["verify"].as_bool(), "{vector}");
            read_count += 1;
        }
        // Whatever else is in the file is refused, and does not pass for a hash that matches.
        if vector["scheme"] != "argon2id" {
            assert!(PasswordHash::parse(kept).is_err(), "{vector}");
        }
    }
    assert!(read_count > 10);
}

#[test]
fn what_is_kept_is_a_phc_string_that_reads_back() {
    let params = HashParams { memory_kib: 64, passes: 2, lanes: 1 };
    let kept = PasswordHash::make(b"four words", &params, &[5; 16], &mut cheap_hasher()).unwrap();
    let text = kept.expose();
    assert!(text.starts_with("$argon2id$v=19$m=64,t=2,p=1$BQUFBQUFBQUFBQUFBQUFBQ$"), "{text}");
    assert!(PasswordHash::parse(&text) == Ok(kept));
}

#[track_caller]
fn check(text: &str, expected: Result<(), UnreadableHash>) {
    assert_eq!(PasswordHash::parse(text).map(|_| ()), expected, "{text}");
}

const SALT: &str = "YWFhYWFhYWFhYWFhYWFhYQ";
const TAG: &str = "2TEjXJGJZtbbqJAdDfsCxeRwDb+h4YKbcQPPBwzYxHQ";

fn phc(cost: &str) -> String {
    format!("$argon2id$v=19${cost}${SALT}${TAG}")
}

#[test]
fn a_cost_is_capped_when_it_is_read() {
    check(&phc("m=19456,t=2,p=1"), Ok(()));
    check(&phc("m=262144,t=4,p=1"), Ok(()));
    check(&phc("m=262145,t=1,p=1"), Err(UnreadableHash::TooCostly));
    check(&phc("m=262144,t=5,p=1"), Err(UnreadableHash::TooCostly));
    check(&phc("m=4194304,t=1,p=1"), Err(UnreadableHash::TooCostly));
    check(&phc("m=4294967295,t=4294967295,p=1"), Err(UnreadableHash::TooCostly));
    check(&phc("m=64,t=16,p=1"), Ok(()));
    check(&phc("m=64,t=17,p=1"), Err(UnreadableHash::TooCostly));
    check(&phc("m=64,p=1,t=2"), Ok(()));
    check(&phc("m=64,t=1,p=8"), Ok(()));
    check(&phc("m=72,t=1,p=9"), Err(UnreadableHash::TooCostly));
}

#[test]
fn text_that_is_no_hash_is_refused() {
    let text = phc("m=64,t=1,p=1");
    for malformed in [
        "",
        "$",
        "argon2id",
        "hunter2",
        &text[..text.len() - 44],
        &text.replace('$', ""),
        &format!("{text}$"),
        &format!("{text} "),
        &format!("{text}\0"),
        &format!(" {text}"),
        &phc("m=0,t=1,p=1"),
        &phc("m=64,t=0,p=1"),
        &phc("m=64,t=1,p=0"),
        &phc("m=8,t=1,p=2"),
        &phc("m=-1,t=1,p=1"),
        &phc("m=064,t=1,p=1"),
        &phc("m=4294967296,t=1,p=1"),
        &phc("m=64,t=1"),
        &phc("m=64,m=8,t=1,p=1"),
        &phc("m=64,t=1,p=1,keyid=YWFh"),
        &phc("m=64,t=1,p=1,data=YWFh"),
        &text.replace(SALT, "YWFh"),
        &text.replace(TAG, "2TEjXA"),
        &text.replace(TAG, ""),
        &format!("{text}{}", "A".repeat(600)),
    ] {
        check(malformed, Err(UnreadableHash::Malformed));
    }
    for unknown in [
        "$argon2i$v=19$m=64,t=1,p=1$YWFhYWFhYWE$2TEjXJGJZtbbqJAdDfsCxQ",
        "$argon2id$v=16$m=64,t=1,p=1$YWFhYWFhYWE$2TEjXJGJZtbbqJAdDfsCxQ",
        "$argon2id$m=64,t=1,p=1$YWFhYWFhYWE$2TEjXJGJZtbbqJAdDfsCxQ",
        "$2b$04$9HBw.IlrS6ghCL3LNjP7HuiUFsGT6Ij/R/j.8zikSwbpq/bNNFYui",
    ] {
        check(unknown, Err(UnreadableHash::UnknownScheme));
    }
}

#[test]
fn a_cost_to_hash_with_is_neither_cheap_nor_ruinous() {
    for (memory_kib, passes, lanes) in
        [(47_104, 1, 1), (19_456, 2, 1), (12_288, 3, 1), (9216, 4, 1), (7168, 5, 1), (65_536, 3, 4)]
    {
        assert!(HashParams::new(memory_kib, passes, lanes).is_ok(), "{memory_kib}");
    }
    let refusal = |m, t, p| HashParams::new(m, t, p).unwrap_err();
    assert_eq!(refusal(7167, 16, 1), HashParamsRefusal::TooCheap);
    assert_eq!(refusal(7168, 4, 1), HashParamsRefusal::TooCheap);
    assert_eq!(refusal(35_839, 1, 1), HashParamsRefusal::TooCheap);
    assert_eq!(refusal(19_456, 2, 0), HashParamsRefusal::TooCheap);
    assert_eq!(refusal(0, 0, 0), HashParamsRefusal::TooCheap);
    assert_eq!(refusal(262_145, 1, 1), HashParamsRefusal::TooCostly);
    assert_eq!(refusal(262_144, 5, 1), HashParamsRefusal::TooCostly);
    assert_eq!(refusal(19_456, 2, 9), HashParamsRefusal::TooCostly);
    assert_eq!(refusal(u32::MAX, u32::MAX, 1), HashParamsRefusal::TooCostly);
    assert!(HashParams::new(35_840, 1, 1).is_ok());
}
