//! `JSONTestSuite`: texts that every reader accepts (`y_`), refuses (`n_`), or decides for itself
//! (`i_`).

use std::collections::BTreeSet;
use std::fs;

use doorward_wire::json::{self, JsonErrorKind};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::collection;

/// Texts that are JSON to others and that we refuse on purpose.
const WAIVED: [(&str, JsonErrorKind); 2] = [
    ("y_object_duplicated_key.json", JsonErrorKind::DuplicateMember),
    ("y_object_duplicated_key_and_value.json", JsonErrorKind::DuplicateMember),
];

/// Texts that a reader may take or leave, of which we take these: numbers that fit no integer but
/// are near enough a fraction's.
const TAKEN: [&str; 5] = [
    "i_number_double_huge_neg_exp.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
];

#[test]
fn each_text_is_accepted_or_refused_as_it_must_be() {
    let Some(folder) = collection("json-test-suite/test_parsing") else { return };
    let mut taken = BTreeSet::new();
    let mut counts = (0, 0, 0);
    for entry in fs::read_dir(folder).expect("a folder that exists can be read") {
        let path = entry.expect("and so can its entries").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let bytes = fs::read(&path).expect("and its files");
        let read = json::strict::<Value>(&bytes);
        // What is wanted does not change what is JSON.
        assert_eq!(read.is_ok(), json::strict::<IgnoredAny>(&bytes).is_ok(), "{name}");
        match (name.get(..2), read) {
            (Some("y_"), Err(error)) => {
                let waived = WAIVED.iter().find(|(known, _)| *known == name);
                assert_eq!(waived.map(|(_, kind)| kind), Some(&error.kind), "{name}: {error}");
                counts.0 += 1;
            }
            (Some("y_"), Ok(_)) => counts.0 += 1,
            (Some("n_"), read) => {
                assert!(read.is_err(), "{name}");
                counts.1 += 1;
            }
            (_, read) => {
                counts.2 += 1;
                if read.is_ok() {
                    taken.insert(name.to_owned());
                }
            }
        }
    }
    assert_eq!(counts, (95, 188, 35));
    assert_eq!(taken, TAKEN.map(str::to_owned).into());
}
