use std::collections::BTreeSet;

use super::*;

#[track_caller]
fn check(typed: &str, expected: Result<&str, UsernameRefusal>) {
    let read = Username::parse(typed);
    assert_eq!(
        read.as_ref().map(Username::as_str).map_err(|refusal| *refusal),
        expected,
        "{typed:?}"
    );
    if let Ok(name) = read {
        assert_eq!(Username::parse(name.as_str()).as_ref(), Ok(&name), "{typed:?} does not settle");
    }
}

fn skeleton(name: &str) -> String {
    Username::parse(name).unwrap().skeleton()
}

#[test]
fn ordinary_names_pass_as_they_are() {
    for name in [
        "a",
        "7",
        "ada",
        "ada.lovelace",
        "ada_lovelace",
        "ada-lovelace",
        "ada@example.com",
        "x1",
        "1x",
        "müller",
        "søren",
        "łukasz",
        "nguyễn",
        "íñigo",
        "ольга",
        "ελένη",
        "日本語",
        "김철수",
        "たろう",
        "אדם",
        "محمد",
        "देवनागरी",
        "สมชาย",
        "straße",
    ] {
        check(name, Ok(name));
    }
}

#[test]
fn case_and_width_make_no_second_name() {
    check("ADMIN", Ok("admin"));
    check("Ada.LOVELACE", Ok("ada.lovelace"));
    check("ａｄｍｉｎ", Ok("admin"));
    check("ＡＤＭＩＮ", Ok("admin"));
    check("ada＠example．com", Ok("ada@example.com"));
    check("ÅNGSTRÖM", Ok("ångström"));
    check("\u{212A}elvin", Ok("kelvin"));
    check("\u{212B}ke", Ok("åke"));
    check("ＯＬＧＡ", Ok("olga"));
    check("ｶﾞ", Ok("ガ"));
    check("ΕΛΈΝΗ", Ok("ελένη"));
}

#[test]
fn composed_and_decomposed_are_one_name() {
    check("mu\u{308}ller", Ok("müller"));
    check("MU\u{308}LLER", Ok("müller"));
    check("한", Ok("한"));
    check("\u{1112}\u{1161}\u{11AB}", Ok("한"));
}

#[test]
fn a_name_has_one_to_sixty_four_characters() {
    check("", Err(UsernameRefusal::Empty));
    check(&"a".repeat(64), Ok(&"a".repeat(64)));
    check(&"a".repeat(65), Err(UsernameRefusal::TooLong));
    check(&"语".repeat(64), Ok(&"语".repeat(64)));
    check(&"语".repeat(65), Err(UsernameRefusal::TooLong));
}

#[test]
fn a_name_has_at_most_255_bytes() {
    // Letters of four bytes each: 63 of them and three ASCII ones would be 255.
    check(&"𠜎".repeat(63), Ok(&"𠜎".repeat(63)));
    check(&"𠜎".repeat(64), Err(UsernameRefusal::TooLong));
}

#[test]
fn a_megabyte_is_refused_before_any_work() {
    check(&"e\u{301}".repeat(500_000), Err(UsernameRefusal::TooLong));
}

#[test]
fn spaces_are_refused_and_not_cut_off() {
    for name in [" ada", "ada ", "ada lovelace", "ada\t", "ada\n", "ada\u{A0}", "ada\u{3000}", " "]
    {
        check(name, Err(UsernameRefusal::Character));
    }
}

#[test]
fn what_is_hidden_or_turns_the_line_is_refused() {
    for hidden in [
        '\0',
        '\u{7F}',
        '\u{85}',
        '\u{AD}',
        '\u{34F}',
        '\u{61C}',
        '\u{115F}',
        '\u{180E}',
        '\u{200B}',
        '\u{200C}',
        '\u{200D}',
        '\u{200E}',
        '\u{200F}',
        '\u{202A}',
        '\u{202E}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{3164}',
        '\u{FE0F}',
        '\u{FEFF}',
        '\u{FFA0}',
        '\u{FFFD}',
        '\u{E0001}',
        '\u{E0061}',
    ] {
        check(&format!("ad{hidden}min"), Err(UsernameRefusal::Character));
        check(&format!("admin{hidden}"), Err(UsernameRefusal::Character));
    }
}

#[test]
fn compatibility_letters_and_symbols_are_refused() {
    for name in [
        "oﬀice",
        "ﬁsh",
        "ⅷ",
        "ada²",
        "ⓐda",
        "𝒶da",
        "ªda",
        "ſam",
        "ada™",
        "ada😀",
        "a+b",
        "a/b",
        "a\\b",
        "a:b",
        "a'b",
        "a\"b",
        "<ada>",
        "a&b",
        "a=b",
        "a,b",
        "a;b",
        "a%00b",
        "a#b",
        "a?b",
        "a*b",
        "~ada",
        "l·l",
        "a‐b",
        "a—b",
        "a’b",
        "ж\u{200D}ж",
        "\u{378}",
        "\u{E000}",
        "ᛟᛞᛁᚾ",
    ] {
        check(name, Err(UsernameRefusal::Character));
    }
}

#[test]
fn separators_stand_alone_between_letters_or_digits() {
    for name in [
        ".ada",
        "ada.",
        "_ada",
        "ada_",
        "-ada",
        "ada-",
        "@ada",
        "ada@",
        "a..b",
        "a.-b",
        "a__b",
        ".",
        "..",
        "a@b@c",
        "a.\u{301}b",
        "\u{301}ada",
        "ada．",
    ] {
        check(name, Err(UsernameRefusal::Separator));
    }
    check("a.b_c-d@e", Ok("a.b_c-d@e"));
}

#[test]
fn letters_of_two_scripts_are_refused() {
    for name in ["аdmin", "admіn", "pаypal", "αdmin", "ada.ольга", "太郎taro", "кim김", "ადa"]
    {
        check(name, Err(UsernameRefusal::MixedScripts));
    }
    // Japanese and Korean are written in several, which count as one.
    check("山田たろう", Ok("山田たろう"));
    check("ольга99", Ok("ольга99"));
}

#[test]
fn a_name_from_right_to_left_is_stored_as_it_is_shown() {
    check("1אדם", Err(UsernameRefusal::Direction));
    check("1.א", Err(UsernameRefusal::Direction));
    check("אדם1", Ok("אדם1"));
    check("م1٢", Err(UsernameRefusal::Direction));
    check("م٢", Ok("م٢"));
}

#[test]
fn marks_cannot_be_heaped_up() {
    check("x\u{30C}y", Ok("x\u{30C}y"));
    check(&format!("a{}", "\u{301}".repeat(9)), Err(UsernameRefusal::Character));
    check("x\u{30C}\u{30C}", Err(UsernameRefusal::Character));
    check("q\u{301}\u{302}\u{303}\u{304}\u{306}", Err(UsernameRefusal::Character));
}

#[test]
fn names_people_confuse_have_one_skeleton() {
    for (one, other) in [
        ("асе", "ace"),
        ("рауса", "payca"),
        ("admin", "adrnin"),
        ("root", "r00t"),
        ("root", "r0ot"),
        ("alice", "a1ice"),
        ("paul", "pau1"),
    ] {
        assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
    }
}

#[test]
fn cyrillic_admin_is_refused_and_would_collide_if_it_were_not() {
    check("аdmin", Err(UsernameRefusal::MixedScripts));
    let forged = Username("аdmin".to_owned());
    assert_eq!(forged.skeleton(), skeleton("admin"));
    assert_ne!(forged, Username::parse("admin").unwrap());
}

#[test]
fn names_people_tell_apart_have_different_skeletons() {
    let names = [
        "alice",
        "alicia",
        "bob",
        "rob",
        "bill",
        "bi11y",
        "lila",
        "lili",
        "ali",
        "all",
        "john.doe",
        "john-doe",
        "john_doe",
        "johndoe",
        "user5",
        "users",
        "user2",
        "userz",
        "user8",
        "userb",
        "user6",
        "userg",
        "user9",
        "muller",
        "müller",
        "mueller",
        "jose",
        "josé",
        "anna",
        "ana",
        "clare",
        "dare",
        "vvalter",
        "walter",
        "ольга",
        "olga",
        "太郎",
        "大郎",
        "admin",
        "admin2",
        "admins",
        "adm",
        "sea",
    ];
    let skeletons: BTreeSet<_> = names.map(skeleton).into();
    assert_eq!(skeletons.len(), names.len());
}

#[test]
fn a_skeleton_is_the_same_however_the_name_was_typed() {
    assert_eq!(skeleton("MÜLLER"), skeleton("mu\u{308}ller"));
    assert_eq!(skeleton("ＡＤＭＩＮ"), skeleton("admin"));
}

#[test]
fn every_single_character_settles_or_is_refused() {
    // The planes above hold ideographs and private use only.
    for c in '\0'..'\u{20000}' {
        for typed in [c.to_string(), format!("a{c}"), format!("{c}a")] {
            if let Ok(name) = Username::parse(&typed) {
                assert_eq!(Username::parse(name.as_str()), Ok(name), "{typed:?}");
            }
        }
    }
}

#[test]
fn every_refusal_has_a_code_and_a_message() {
    for refusal in [
        UsernameRefusal::Empty,
        UsernameRefusal::TooLong,
        UsernameRefusal::Character,
        UsernameRefusal::Separator,
        UsernameRefusal::MixedScripts,
        UsernameRefusal::Direction,
        UsernameRefusal::Address,
    ] {
        assert!(refusal.code().starts_with("username-"));
        assert!(refusal.message().ends_with('.'));
    }
}
