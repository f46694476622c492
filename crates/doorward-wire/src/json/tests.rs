use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    count: u64,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    carrier: Option<Carrier>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    gift: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Carrier {
    Cookie,
    Token,
}

#[track_caller]
fn refused(text: &str, kind: JsonErrorKind, pointer: &str, message: &str) {
    let error = strict::<Order>(text.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.pointer.as_str()), (kind, pointer), "{text}");
    assert_eq!(error.message, message, "{text}");
}

#[track_caller]
fn not_json(bytes: &[u8]) {
    let error = strict::<Value>(bytes).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::Malformed, "{}", String::from_utf8_lossy(bytes));
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn a_text_without_surprises_is_read() {
    let order: Order = strict(
        br#" {"name":"\u00e9\ud83d\ude00","count":0,"lines":[{"gift":true}],"carrier":"token"} "#,
    )
    .unwrap();
    let lines = vec![Line { gift: true }];
    assert_eq!(order.name, "é😀");
    assert_eq!((order.count, order.lines, order.carrier), (0, lines, Some(Carrier::Token)));
}

#[test]
fn text_without_escapes_is_borrowed() {
    let text: &str = strict(br#""plain""#).unwrap();
    assert_eq!(text, "plain");
}

#[test]
fn a_member_may_stand_once_at_every_depth() {
    let twice = JsonErrorKind::DuplicateMember;
    refused(
        r#"{"name":"a","count":1,"name":"b"}"#,
        twice.clone(),
        "/name",
        "member `name` stands twice",
    );
    // The same name, spelled with an escape.
    refused(r#"{"a":1,"\u0061":2}"#, twice.clone(), "/a", "member `a` stands twice");
    // Inside a member that nobody asked for.
    let deep = br#"{"x":[0,{"y":{"z":1,"a/b~":2,"a/b~":2}}]}"#;
    let error = strict::<IgnoredAny>(deep).unwrap_err();
    assert_eq!((error.kind, error.pointer.as_str()), (twice, "/x/1/y/a~1b~0"));
}

#[test]
fn nesting_is_refused_just_beyond_its_limit() {
    assert!(strict::<Value>(nested(DEPTH_MAX).as_bytes()).is_ok());
    let error = strict::<Value>(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooDeep);
    assert_eq!(error.pointer, "/0".repeat(DEPTH_MAX));
}

#[test]
fn a_hundred_thousand_brackets_cost_nothing() {
    for text in [nested(100_000), "[".repeat(100_000), r#"{"a":"#.repeat(100_000)] {
        let error = strict::<Value>(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::TooDeep);
    }
}

#[test]
fn bytes_that_are_not_quite_text_are_refused() {
    not_json(b"");
    not_json(b"\xEF\xBB\xBF{}");
    not_json(b"{} {}");
    not_json(b"{}\0");
    not_json(b"\xFF\xFE{\0}\0");
    // Half a surrogate pair, as a value, as a name, and where nobody looks.
    not_json(br#""\ud800""#);
    not_json(br#"{"\udc00":1}"#);
    assert!(strict::<IgnoredAny>(br#"["\ud800\u0041"]"#).is_err());
    assert!(strict::<IgnoredAny>(b"[\"\xC0\xAF\"]").is_err());
    not_json(b"\"\xED\xA0\x80\"");
    not_json(b"1e400");
    not_json(b"NaN");
    not_json(b"01");
}

#[test]
fn numbers_keep_to_the_type_that_is_wanted() {
    for (text, fits) in [("0", true), ("18446744073709551615", true), ("-0", false)] {
        assert_eq!(strict::<u64>(text.as_bytes()).is_ok(), fits, "{text}");
    }
    for text in ["-1", "1.0", "1e3", "18446744073709551616", "\"1\"", "null", "true", "[1]"] {
        let error = strict::<u64>(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::WrongShape, "{text}");
    }
}

#[test]
fn a_wrong_shape_says_where_and_what_belongs_there() {
    let wrong = JsonErrorKind::WrongShape;
    refused(
        r#"{"name":"a","count":"1"}"#,
        wrong.clone(),
        "/count",
        "a string where a whole number from 0 belongs",
    );
    refused(
        r#"{"name":"a","count":-1}"#,
        wrong.clone(),
        "/count",
        "out of range where a whole number from 0 belongs",
    );
    refused(
        r#"{"name":"a","count":1,"lines":[{"gift":true},{"gift":null}]}"#,
        wrong.clone(),
        "/lines/1/gift",
        "null where a boolean belongs",
    );
    refused(
        r#"{"name":"a","count":1,"carrier":"pigeon"}"#,
        wrong.clone(),
        "/carrier",
        "not one of `cookie`, `token`",
    );
    refused("[]", wrong, "", "an array where an object belongs");
}

#[test]
fn a_member_too_many_and_a_member_too_few_have_names() {
    refused(
        r#"{"name":"a","count":1,"lines":[{"gift":true,"wrap":1}]}"#,
        JsonErrorKind::UnknownMember("wrap".into()),
        "/lines/0/wrap",
        "member `wrap` is not known; known are `gift`",
    );
    refused(
        r#"{"name":"a","count":1,"lines":[{}]}"#,
        JsonErrorKind::MissingMember("gift".into()),
        "/lines/0/gift",
        "member `gift` is missing",
    );
}

#[test]
fn an_array_is_not_another_spelling_of_an_object() {
    refused(
        r#"["a",1,[],null]"#,
        JsonErrorKind::WrongShape,
        "",
        "an array where an object belongs",
    );
    assert!(strict::<(u64, u64)>(b"[1,2]").is_ok());
    assert!(strict::<(u64, u64)>(b"[1,2,3]").is_err());
}

#[test]
fn an_error_never_repeats_a_value() {
    for text in [
        r#"{"name":5,"count":"hunter2"}"#,
        r#"{"name":"a","count":1,"carrier":"hunter2"}"#,
        r#"{"name":"a","count":1,"lines":["hunter2"]}"#,
        r#"{"name":"hunter2","count":1.5}"#,
        r#"{"name":"hunter2""#,
        r#""hunter2""#,
    ] {
        let error = strict::<Order>(text.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_long_foreign_name_is_cut() {
    let name = "é".repeat(10_000);
    let error = strict::<Order>(format!(r#"{{"{name}":1}}"#).as_bytes()).unwrap_err();
    assert!(error.to_string().len() < 1_000, "{}", error.to_string().len());
}
