//! Scripts: text from outside that a page shows, and that would be code if it were shown as it is.
//!
//! Nothing from outside may add a tag, an attribute or a quote to a page: what is left of a page
//! without its words is the same as for a harmless word. What a browser makes of it is in
//! `chromium::hostile`.

use doorward_server::flow::setup;
use serde_json::json;

use super::Clean;
use crate::harness::client::percent;
use crate::harness::{PASSWORD, Reply, Server};

/// Text that is code in some place of a page, and some that is in nearly every place.
pub(crate) const HOSTILE: [&str; 20] = [
    "<script>window.pwned=1</script>",
    "\"><script>window.pwned=1</script>",
    "'><script>window.pwned=1</script>",
    "</title><script>window.pwned=1</script>",
    "</textarea><script>window.pwned=1</script>",
    "--><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "\"><img src=x onerror=\"window.pwned=1\">",
    "<svg/onload=window.pwned=1>",
    "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
    "\" onfocus=\"window.pwned=1\" autofocus=\"",
    "' onmouseover='window.pwned=1",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example><input name=password>",
    "<meta http-equiv=refresh content='0;url=javascript:window.pwned=1'>",
    "<style>@import'https://evil.example'</style>",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */window.pwned=1)//</stYle/</titLe/</teXtarEa/</scRipt/\
     --!>\\x3csVg/<sVg/oNloAd=window.pwned=1//>\\x3e",
    "{{constructor.constructor('window.pwned=1')()}}${window.pwned=1}<%= 7*7 %>#{7*7}",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;&#60;script&#62;",
];

/// What a page is without its words: everything that can begin or end a tag or a value.
fn skeleton(reply: &Reply) -> String {
    reply.text().chars().filter(|one| "<>\"'".contains(*one)).collect()
}

/// Parameters that pages of this kind have been known to show, now and in the specifications.
const PARAMETERS: [&str; 13] = [
    "error",
    "error_description",
    "error_uri",
    "state",
    "client_id",
    "redirect_uri",
    "login_hint",
    "ui_locales",
    "user_code",
    "post_logout_redirect_uri",
    "said",
    "return_to",
    "username",
];

/// Attack 22 (ASVS 5.0, 1.2.1): in every parameter of every page's address.
#[tokio::test]
async fn no_text_in_an_address_becomes_a_part_of_a_page() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (signed_in, nobody) = (server.sign_in(&alice).await, server.browser());
    let pages = ["/login", "/register", "/setup", "/logout", "/account", "/account/confirm"];
    for path in pages.into_iter().chain(["/inspect/cookie", "/no-such-page"]) {
        for browser in [&signed_in, &nobody] {
            let plain = browser.get(path).await.clean();
            for hostile in HOSTILE {
                // An address may have 4 KiB.
                for some in PARAMETERS.chunks(5) {
                    let query: Vec<_> =
                        some.iter().map(|name| format!("{name}={}", percent(hostile))).collect();
                    let target = format!("{path}?{}", query.join("&"));
                    let reply = browser.get(&target).await.clean();
                    assert!(!reply.text().contains("pwned"), "{target}: {}", reply.describe());
                    assert_eq!(reply.status, plain.status, "{target}");
                    assert_eq!(skeleton(&reply), skeleton(&plain), "{target}");
                }
                let target = format!("{path}/{}", percent(hostile).replace("%2F", "/"));
                let reply = browser.get(&target).await.clean();
                assert!(!reply.text().contains("pwned"), "{target}: {}", reply.describe());
            }
        }
    }
}

/// Attack 22: what a form gives back to be put right.
#[tokio::test]
async fn what_a_form_gives_back_is_text() {
    let server = Server::start().await;
    server.member("alice").await;
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
    let long_ago = "harmless\u{7}word";
    let forms = |text: &str| {
        let with = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), text.to_owned())).collect::<Vec<_>>()
        };
        [
            ("/login", 401, with(&["username", "password"])),
            ("/register", 422, with(&["username", "email", "password"])),
            ("/setup", 422, {
                let mut fields = with(&["username", "email", "password"]);
                fields.push(("code".to_owned(), code.clone()));
                fields
            }),
        ]
    };
    let send = async |text: &str| {
        let mut replies = Vec::new();
        for (path, status, fields) in forms(text) {
            let fields: Vec<_> = fields.iter().map(|(name, text)| (&**name, &**text)).collect();
            let reply = server.browser().post_form(path, &fields).await.clean().must_be(status);
            replies.push((path, reply));
        }
        replies
    };
    // Refused for the same reasons, and no code in any language.
    let harmless = send(long_ago).await;
    for hostile in HOSTILE {
        for ((path, reply), (_, plain)) in send(hostile).await.iter().zip(&harmless) {
            let what = format!("{path} with {hostile}");
            assert!(reply.text().contains("pwned") || !hostile.contains("pwned"), "the control");
            assert!(!reply.text().contains(hostile), "{what}: {}", reply.describe());
            let counts = |reply: &Reply| skeleton(reply).matches(['<', '>']).count();
            assert_eq!(counts(reply), counts(plain), "{what}: {}", reply.describe());
            assert!(!reply.text().contains("onerror=\"") && !reply.text().contains("onfocus=\""));
        }
    }
}

/// Attack 22: the name of a browser that its owner did not choose, in the list of sessions.
#[tokio::test]
async fn a_user_agent_in_the_list_of_sessions_is_text() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let owner = server.sign_in(&alice).await;
    for hostile in HOSTILE {
        let sign_in = async |agent: &str| {
            let browser = server.browser();
            let login = crate::harness::server::login_body(&alice, "cookie", json!({}));
            let login = browser.request("POST", "/api/v1/login").json(&login);
            browser.send(login.header("user-agent", agent)).await.clean().must_be(200);
            browser
        };
        let plain_browser = sign_in("harmless").await;
        let plain = owner.get("/account").await.clean().must_be(200);
        plain_browser.post("/api/v1/logout").await.must_be(204);
        let hostile_browser = sign_in(hostile).await;
        let page = owner.get("/account").await.clean().must_be(200);
        assert!(!page.text().contains(hostile), "{}", page.describe());
        assert_eq!(skeleton(&page), skeleton(&plain), "{hostile}: {}", page.describe());
        // A program is told it as it was, under a type that is never run.
        let list = owner.get("/api/v1/sessions").await.clean().must_be(200);
        assert_eq!(list.header("content-type"), Some("application/json"));
        assert!(list.text().contains("pwned") || !hostile.contains("pwned"), "the control");
        hostile_browser.post("/api/v1/logout").await.must_be(204);
    }
}

/// Attack 22: an address is the only thing of their own that people may write freely here.
#[tokio::test]
async fn an_address_with_code_in_it_is_refused_or_text() {
    let server = Server::start().await;
    let mut shown = 0;
    for (number, hostile) in HOSTILE.iter().enumerate() {
        for email in [format!("{hostile}@example.com"), format!("alice@{hostile}.example")] {
            let name = format!("person{number}{}", email.len());
            let browser = server.browser();
            let form = [("username", &*name), ("email", &email), ("password", PASSWORD)];
            let reply = browser.post_form("/register", &form).await.clean();
            assert!(!reply.text().contains(hostile), "{}", reply.describe());
            if reply.status == 303 {
                shown += 1;
                let page = browser.get("/account").await.clean().must_be(200);
                assert!(!page.text().contains(hostile), "{}", page.describe());
            }
        }
    }
    let browser = server.browser();
    let form = [("username", "o.hara"), ("email", "o'hara&co@example.com"), ("password", PASSWORD)];
    browser.post_form("/register", &form).await.clean().must_be(303);
    let page = browser.get("/account").await.clean().must_be(200);
    assert!(page.text().contains("hara&#38;co@"), "the control: {}", page.text());
    crate::harness::report(&format!("{shown} addresses with code in them were kept, as text"));
}

/// Attack 22: an error for a program repeats what was sent, under a type that no browser runs.
#[tokio::test]
async fn an_error_that_repeats_what_was_sent_is_never_a_page() {
    let server = Server::start().await;
    for hostile in HOSTILE {
        let body = json!({ hostile: 1, "username": hostile, "password": hostile });
        for path in ["/api/v1/accounts", "/api/v1/login", "/api/v1/refresh"] {
            let reply = server.client().post_json(path, &body).await.clean();
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(reply.status, 422, "{}", reply.describe());
        }
    }
}
