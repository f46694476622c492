//! Claims about every page: hostile text stays text, and everybody can use it.

use std::collections::HashSet;
use std::fs;
use std::io::Write;

use askama::Template;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::assets::{FORM, SETUP, STYLE};
use super::*;

const HOSTILE: [&str; 4] = [
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</title></textarea><img src=x onerror=alert(1)>",
];

const TROUBLES: [Trouble<'static>; 2] = [Trouble::Busy, Trouble::Stale];

/// A start tag: its name and its attributes.
#[derive(Debug, PartialEq)]
struct Tag<'h> {
    name: &'h str,
    attributes: Vec<(&'h str, Option<&'h str>)>,
}

impl<'h> Tag<'h> {
    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(known, _)| *known == name)
    }

    fn value(&self, name: &str) -> Option<&'h str> {
        self.attributes.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
    }
}

/// Reads start tags as a browser's tokenizer does: a quoted value ends at its own quote only.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap();
        let mut tag = Tag { name: &rest[..end], attributes: Vec::new() };
        rest = &rest[end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap();
            let name = &rest[..end];
            rest = &rest[end..];
            let value = rest.strip_prefix("=\"").map(|quoted| {
                let (value, after) = quoted.split_once('"').unwrap();
                rest = after;
                value
            });
            assert!(!rest.starts_with('='), "unquoted value of {name}");
            tag.attributes.push((name, value));
        }
        tags.push(tag);
    }
    tags
}

fn moment(text: &str) -> Moment {
    Moment { text: text.to_owned(), machine: text.to_owned() }
}

fn row(text: &str) -> SessionRow {
    SessionRow {
        sid: text.to_owned(),
        label: text.to_owned(),
        place: Some(text.to_owned()),
        ip: text.to_owned(),
        carrier: Carrier::Token,
        proof: text.to_owned(),
        is_bound: true,
        opened: moment(text),
        proved_again: Some(moment(text)),
        seen: moment(text),
        expires: moment(text),
        last_token_ends: Some(moment(text)),
        tokens: vec![TokenRow {
            service: text.to_owned(),
            scope: text.to_owned(),
            client: text.to_owned(),
            issued: moment(text),
        }],
    }
}

fn whence(text: &str) -> Whence {
    let known = Some(text.to_owned());
    Whence { device: known.clone(), place: known.clone(), ip: known }
}

fn notice(text: &str) -> NoticeRow {
    let (what, from) = ("Something happened.", whence(text));
    NoticeRow { id: text.to_owned(), what, at: moment(text), from }
}

fn visitor(text: &str) -> Visitor<'_> {
    Visitor { username: text, account: text }
}

fn logout<'a>(text: &'a str, trouble: Option<Trouble<'a>>) -> String {
    LogoutPage { visitor: Some(visitor(text)), trouble }.render().unwrap()
}

fn error<'a>(status: u16, code: &'a str, signed_in: Option<&'a str>, text: &'a str) -> String {
    let (signed_in, at) = (signed_in.map(visitor), Some(moment(text)));
    let page = ErrorPage { status, code, origin: "https://us", signed_in, request_id: text, at };
    page.render().unwrap()
}

fn activity(text: &str, count: usize) -> String {
    let event = EventRow { what: "Something happened.", at: moment(text), from: whence(text) };
    let page = ActivityPage {
        visitor: visitor(text),
        notices: vec![notice(text); 3],
        more_notices: true,
        events: vec![event; count],
        is_later_page: true,
        older: Some(text.to_owned()),
    };
    page.render().unwrap()
}

fn login<'a>(state: LoginState<'a>, text: &'a str) -> String {
    let page = LoginPage {
        state,
        username: text,
        remember: true,
        return_to: Some(text),
        registration_open: true,
    };
    page.render().unwrap()
}

fn confirm<'a>(state: ConfirmState<'a>, text: &'a str) -> String {
    let is_asked = state == ConfirmState::Fresh;
    let page = ConfirmPage { visitor: visitor(text), is_asked, state, return_to: Some(text) };
    page.render().unwrap()
}

fn account<'a>(text: &'a str, problem: Option<&'a str>, trouble: Option<Trouble<'a>>) -> String {
    let page = AccountPage {
        said: Some(Said::NotMe),
        trouble,
        visitor: visitor(text),
        email: Some(text),
        role: text,
        notices: vec![notice(text); 3],
        more_notices: true,
        current: row(text),
        others: vec![row(text); 10],
        after: Some(text.to_owned()),
        older: Some(text.to_owned()),
        password_min: 15,
        current_problem: problem,
        new_problem: problem,
        end_other_sessions: true,
    };
    page.render().unwrap()
}

fn cookie<'a>(text: &'a str, problem: Option<&'a str>) -> String {
    use super::cookie::{Choices, CookieAnswer, CookieForm, CookiePage, FindingRow};
    let found = FindingRow {
        severity: "dropped",
        is_grave: true,
        code: "prefix-host",
        source: text.to_owned(),
        message: text.to_owned(),
    };
    let answer = CookieAnswer {
        verdict: text.to_owned(),
        facts: vec![("name", text.to_owned())],
        findings: vec![found.clone()],
        later: Some((text.to_owned(), vec![found])),
    };
    let field = Field { value: text, problem };
    let choices = Choices { method: "POST", site: text, kind: text, problem };
    let form =
        CookieForm { line: field, from: field, embedded: true, to: field, choices, after: field };
    CookiePage { answer: problem.is_none().then_some(answer), form }.render().unwrap()
}

/// Every page in every state, with `text` in every place that takes any.
fn pages(text: &str) -> Vec<String> {
    let mut pages = vec![
        login(LoginState::Fresh, text),
        login(LoginState::SignedOut, text),
        login(LoginState::Ended, text),
        login(LoginState::WrongCredentials, text),
        login(LoginState::SignedOutEverywhere, text),
        login(LoginState::NotMe, text),
        login(LoginState::AlreadySignedIn { visitor: visitor(text) }, text),
        activity(text, 25),
        activity(text, 0),
    ];
    pages.extend([ConfirmState::Fresh, ConfirmState::WrongPassword].map(|it| confirm(it, text)));
    let problems = [None, Some(text)];
    let worded = [Trouble::TooMany { wait: text }, Trouble::AnotherAccount { username: text }];
    let troubles = TROUBLES.into_iter().chain(worded);
    let troubles: Vec<_> = troubles.map(Some).chain([None]).collect();
    for &trouble in &troubles {
        pages.extend(trouble.map(|trouble| login(LoginState::Trouble(trouble), text)));
        pages.push(logout(text, trouble));
        pages.extend(trouble.map(|trouble| confirm(ConfirmState::Trouble(trouble), text)));
        for problem in problems {
            let field = Field { value: text, problem };
            let form = NewAccountForm {
                username: field,
                email: field,
                password_problem: problem,
                password_min: 15,
                trouble,
            };
            pages.push(RegisterPage { form, return_to: Some(text) }.render().unwrap());
            pages.push(SetupPage { code: field, form }.render().unwrap());
            pages.push(account(text, problem, trouble));
        }
    }
    pages.extend(problems.map(|problem| cookie(text, problem)));
    for status in [400, 403, 404, 405, 410, 413, 429, 500, 503] {
        pages.extend(problems.map(|signed_in| error(status, "any", signed_in, text)));
    }
    for code in ["csrf-rejected", "registration-closed", "unknown-host", "headers-too-large"] {
        pages.push(error(403, code, None, text));
    }
    pages
}

/// Every page, also the one that shows nothing of anybody's.
fn every_page() -> Vec<String> {
    let mut pages = pages("plain");
    pages.push(OnceMorePage.render().unwrap());
    pages
}

fn sources() -> Vec<(String, String)> {
    fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn hostile_text_adds_no_tag_and_no_attribute_to_any_page() {
    fn shape(html: &str) -> Vec<(&str, Vec<&str>)> {
        tags(html)
            .into_iter()
            .map(|tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect()))
            .collect()
    }
    for text in HOSTILE {
        for (plain, hostile) in pages("plain").iter().zip(pages(text)) {
            assert!(!hostile.contains(text), "{text} in {hostile}");
            assert!(hostile.contains("alert(1)"), "{text} was not shown at all in {hostile}");
            assert_eq!(shape(plain), shape(&hostile), "{text}");
        }
    }
}

#[test]
fn no_page_has_inline_code_or_style() {
    for page in every_page() {
        for tag in tags(&page) {
            assert_ne!(tag.name, "style");
            for (name, value) in &tag.attributes {
                assert!(*name != "style" && !name.starts_with("on"), "{tag:?}");
                assert!(!value.unwrap_or("").trim_start().starts_with("javascript:"), "{tag:?}");
            }
            if tag.name == "script" {
                assert!(tag.value("src").unwrap().starts_with("/assets/"), "{tag:?}");
            }
        }
        for script in page.split("<script").skip(1) {
            assert!(script.split_once('>').unwrap().1.starts_with("</script>"), "{script}");
        }
    }
}

#[test]
fn no_template_turns_escaping_off() {
    let sources = sources();
    assert!(sources.len() >= 8);
    for (path, source) in sources {
        for word in ["|safe", "| safe", "|escape", "|e(", " style=", "<style", "onclick"] {
            assert!(!source.contains(word), "{word} in {path}");
        }
    }
}

#[test]
fn every_page_with_its_styles_and_scripts_is_under_twenty_kilobytes_compressed() {
    let packed = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap().len()
    };
    let extras = packed(STYLE.bytes) + packed(FORM.bytes) + packed(SETUP.bytes);
    let (mut largest, text) = (0, "a name@example.com of some length");
    for page in pages(text) {
        largest = largest.max(packed(page.as_bytes()) + extras);
    }
    assert!((2_000..20_000).contains(&largest), "{largest}, {extras} of it styles and scripts");
}

#[test]
fn every_form_of_ones_own_account_says_for_whom_it_was_drawn() {
    let confirm = confirm(ConfirmState::Fresh, "ada");
    for page in [account("ada", None, None), activity("ada", 1), logout("ada", None), confirm] {
        for form in page.split("<form ").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("name=\"account\" value=\"ada\""), "{form}");
        }
    }
}

#[test]
fn every_error_page_has_a_way_on() {
    #[track_caller]
    fn check(status: u16, code: &str, href: &str) {
        let page = error(status, code, None, "7");
        assert!(page.contains(&format!("<a class=\"button\" href=\"{href}\">")), "{page}");
    }
    for status in [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 503] {
        check(status, "any", "/");
    }
    check(403, "csrf-rejected", "/account");
    check(403, "registration-closed", "/login");
    // Their own host is refused at every path of it.
    check(421, "unknown-host", "https://us");
    check(403, "https-required", "https://us");
}

#[test]
fn styles_fetch_nothing_from_anywhere() {
    let style = str::from_utf8(STYLE.bytes).unwrap();
    for word in ["url(", "@import", "http"] {
        assert!(!style.contains(word), "{word}");
    }
}

#[test]
fn ids_are_unique_and_every_reference_to_one_leads_somewhere() {
    for page in every_page() {
        let tags = tags(&page);
        let mut ids = HashSet::new();
        for id in tags.iter().filter_map(|tag| tag.value("id")) {
            assert!(ids.insert(id), "{id} twice in {page}");
        }
        for tag in &tags {
            for name in ["for", "aria-describedby", "aria-labelledby", "aria-controls"] {
                for id in tag.value(name).unwrap_or("").split_whitespace() {
                    assert!(ids.contains(id), "{tag:?} in {page}");
                }
            }
            if let Some(id) = tag.value("href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(id), "{tag:?} in {page}");
            }
        }
    }
}

#[test]
fn every_page_has_a_language_a_title_one_heading_and_labels_for_all_its_fields() {
    for page in every_page() {
        let tags = tags(&page);
        let count = |name| tags.iter().filter(|tag| tag.name == name).count();
        assert_eq!((count("h1"), count("main"), count("title")), (1, 1, 1), "{page}");
        assert_eq!(tags[0].value("lang").or(tags[1].value("lang")), Some("en"));
        let labels: HashSet<_> =
            tags.iter().filter(|t| t.name == "label").filter_map(|t| t.value("for")).collect();
        let is_field = |tag: &&Tag<'_>| ["input", "select", "textarea"].contains(&tag.name);
        for field in tags.iter().filter(is_field) {
            let named = match field.value("type") {
                Some("hidden") => true,
                // A tick box stands inside its label.
                Some("checkbox") => page.contains("<label class=\"tick\"><input type=\"checkbox\""),
                _ => field.has("hidden") || field.value("id").is_some_and(|id| labels.contains(id)),
            };
            assert!(named, "{field:?} in {page}");
        }
        for button in tags.iter().filter(|tag| tag.name == "button") {
            assert!(button.has("type"), "{button:?}");
        }
    }
}

#[test]
fn a_problem_takes_the_focus_and_is_in_the_title() {
    for page in every_page() {
        let tags = tags(&page);
        let focused: Vec<_> = tags.iter().filter(|tag| tag.has("autofocus")).collect();
        assert!(focused.len() <= 1, "{page}");
        let Some(alert) = tags.iter().find(|tag| tag.value("role") == Some("alert")) else {
            assert!(!page.contains("<title>Problem: "), "{page}");
            continue;
        };
        assert_eq!(alert.value("tabindex"), Some("-1"));
        assert_eq!(focused, [alert]);
        assert!(page.contains("<title>Problem: "), "{page}");
    }
}

#[test]
fn no_password_is_ever_sent_back_or_put_in_a_url() {
    for page in every_page() {
        for tag in tags(&page) {
            assert!(tag.value("type") != Some("password") || !tag.has("value"), "{tag:?}");
            if tag.name == "form" {
                assert!(tag.value("action").unwrap().starts_with('/'), "{tag:?}");
            }
        }
        for form in page.split("method=\"get\"").skip(1) {
            assert!(!form.split("</form>").next().unwrap().contains("type=\"password\""));
        }
    }
}

#[test]
fn whoever_is_signed_in_can_sign_out_from_every_page() {
    let signed_in = vec![
        login(LoginState::AlreadySignedIn { visitor: visitor("ada") }, "ada"),
        logout("ada", None),
        account("ada", None, None),
        activity("ada", 1),
        error(404, "not-found", Some("ada"), "7"),
    ];
    for page in signed_in {
        assert!(page.contains("method=\"post\" action=\"/logout\""), "{page}");
    }
}

#[test]
fn continuing_never_leads_to_another_origin() {
    #[track_caller]
    fn check(target: &str, href: &str) {
        let page = login(LoginState::AlreadySignedIn { visitor: visitor("ada") }, target);
        assert!(page.contains(&format!("<a class=\"button\" href=\"{href}\">")), "{page}");
    }
    check("/account?x=1", "/account?x=1");
    check("/", "/");
    for elsewhere in [
        "",
        "account",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        check(elsewhere, HOME);
    }
}

#[test]
fn where_to_go_survives_the_way_between_signing_in_and_registering() {
    let target = "/a?b=c&d=é#\"";
    let link = "?return_to=%2Fa%3Fb%3Dc%26d%3D%C3%A9%23%22\"";
    assert!(login(LoginState::Fresh, target).contains(&format!("\"/register{link}")));
    let page = RegisterPage { form: NewAccountForm::default(), return_to: Some(target) };
    assert!(page.render().unwrap().contains(&format!("\"/login{link}")));
}

#[test]
fn what_is_said_is_found_by_its_own_code_only() {
    for said in Said::ALL {
        assert_eq!(Said::parse(said.code()), Some(said));
    }
    for code in ["", "Welcome", "welcome ", "<b>"] {
        assert_eq!(Said::parse(code), None, "{code:?}");
    }
}
