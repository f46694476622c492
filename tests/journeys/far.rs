//! A site behind a proxy in another domain than ours: its browser gets a pass of the site's own, by the
//! authorization code flow.

use doorward_core::site::{OriginPattern, Site, Sites};
use doorward_server::Settings;
use serde_json::json;

use crate::harness::client::{Request, percent};
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Client, PASSWORD, Reply, Server};

const BLOG: &str = "https://blog.example.net";
const SHOP: &str = "https://shop.example.org";

fn far(settings: &mut Settings) {
    let site = |origin: &str| Site::for_members(OriginPattern::parse(origin).unwrap());
    settings.sites = Sites::of(vec![site(BLOG), site(SHOP)]).unwrap().into();
    settings.site_domain = Some("example.com".to_owned());
}

/// What a proxy of the site hands on to us.
fn at(server: &Server, origin: &str) -> Client {
    let host = origin.strip_prefix("https://").unwrap();
    let client = Client::new(server.address, host);
    client.always("x-forwarded-proto", "https").always("x-forwarded-for", "203.0.113.7")
}

fn about(server: &Server, origin: &str, path: &str) -> Request {
    let host = origin.strip_prefix("https://").unwrap();
    let asked = server.client().get("/api/authz/forward-auth").header("x-forwarded-host", host);
    let asked = asked.header("x-forwarded-method", "GET").header("x-forwarded-uri", path);
    asked.header("accept", "text/html").header("sec-fetch-mode", "navigate")
}

fn location(reply: &Reply) -> String {
    reply.header("location").unwrap().to_owned()
}

fn cookie(reply: &Reply, name: &str) -> String {
    let all = reply.set_cookies();
    let found = all.iter().find(|set| set.name == name && !set.clears());
    let found = found.unwrap_or_else(|| panic!("no {name}: {all:?}"));
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(found.has(attribute), "{attribute} is missing: {found:?}");
    }
    assert!(!found.attributes.iter().any(|it| it.starts_with("Domain")), "{found:?}");
    format!("{}={}", found.name, found.value)
}

/// Sets out from a page of the site: where it leads, and what the site's browser remembers.
async fn set_out(server: &Server, origin: &str, path: &str) -> (String, String) {
    let led = about(server, origin, path).await.must_be(302);
    let start = location(&led);
    assert_eq!(
        start,
        format!("{origin}/.doorward/start?rd={}", percent(&format!("{origin}{path}")))
    );
    let start = at(server, origin).get(start.strip_prefix(origin).unwrap()).await.must_be(303);
    let authorize = location(&start);
    let authorize = authorize.strip_prefix(PRODUCTION).unwrap().to_owned();
    assert!(authorize.starts_with("/oauth/authorize?"), "{authorize}");
    (authorize, cookie(&start, "__Host-Http-doorward-going"))
}

async fn sign_in(server: &Server) -> Browser {
    server.sign_in(&server.member("ada").await).await
}

#[tokio::test]
async fn a_browser_of_a_far_site_comes_back_with_a_pass_of_its_own() {
    let server = Server::production(far).await;
    server.member("ada").await;
    let (authorize, going) = set_out(&server, BLOG, "/notes?day=3").await;
    let browser = server.browser();
    let login = location(&browser.get(&authorize).await.must_be(303));
    let page = browser.get(&login).await.must_be(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("form-action 'self' {BLOG}")), "{policy}");
    let form = [("username", "ada"), ("password", PASSWORD), ("return_to", &*authorize)];
    browser.post_form("/login", &form).await.must_be(303);
    let back = location(&browser.get(&authorize).await.must_be(303));
    let callback = back.strip_prefix(BLOG).unwrap().to_owned();
    let back = at(&server, BLOG).get(&callback).cookie(&going).await.must_be(303);
    assert_eq!(location(&back), format!("{BLOG}/notes?day=3"));
    let pass = cookie(&back, "__Host-Http-doorward-site");
    assert!(back.set_cookies().iter().any(|set| set.name.ends_with("going") && set.clears()));

    let let_in = about(&server, BLOG, "/notes").cookie(&pass).await.must_be(200);
    assert_eq!(let_in.header("remote-user"), Some("ada"));
    // It opens this site, and no other, and nothing of ours.
    about(&server, SHOP, "/").cookie(&pass).await.must_be(302);
    server.client().get("/api/v1/session").cookie(&pass).await.must_be(401);
    // The second far site needs no page.
    let (authorize, going) = set_out(&server, SHOP, "/").await;
    let back = location(&browser.get(&authorize).await.must_be(303));
    let callback = back.strip_prefix(SHOP).unwrap();
    let back = at(&server, SHOP).get(callback).cookie(&going).await.must_be(303);
    let other = cookie(&back, "__Host-Http-doorward-site");
    about(&server, SHOP, "/").cookie(&other).await.must_be(200);
    // One switch, for all domains.
    browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    about(&server, BLOG, "/notes").cookie(&pass).await.must_be(302);
    about(&server, SHOP, "/").cookie(&other).await.must_be(302);
}

#[tokio::test]
async fn a_code_that_another_browser_brings_gives_no_pass() {
    let server = Server::production(far).await;
    let attacker = sign_in(&server).await;
    let (authorize, own) = set_out(&server, BLOG, "/").await;
    let (_, victim) = set_out(&server, BLOG, "/").await;
    let back = location(&attacker.get(&authorize).await.must_be(303));
    let callback = back.strip_prefix(BLOG).unwrap().to_owned();
    let gives_pass =
        |reply: &Reply| reply.set_cookies().iter().any(|set| set.name.ends_with("-site"));
    let blog = at(&server, BLOG);
    // In the victim's browser, in one that never set out, and at another site.
    let pushed = blog.get(&callback).cookie(&victim).await.must_be(303);
    assert!(!gives_pass(&pushed) && location(&pushed) == format!("{BLOG}/"));
    assert!(!gives_pass(&blog.get(&callback).await.must_be(303)));
    assert!(!gives_pass(&at(&server, SHOP).get(&callback).cookie(&own).await.must_be(303)));
    for (from, to) in
        [("iss=https", "iss=http"), ("state=", "state=x"), ("code=dwa_", "code=dwa_x")]
    {
        let changed = callback.replace(from, to);
        assert_ne!(changed, callback);
        assert!(!gives_pass(&blog.get(&changed).cookie(&own).await.must_be(303)), "{from}");
    }
    // None of that used it up; and it counts once.
    assert!(gives_pass(&blog.get(&callback).cookie(&own).await.must_be(303)));
    assert!(!gives_pass(&blog.get(&callback).cookie(&own).await.must_be(303)));
    // Nor does it count at the token endpoint, by whichever name.
    let (authorize, _) = set_out(&server, BLOG, "/").await;
    let back = location(&attacker.get(&authorize).await.must_be(303));
    let code = back.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).unwrap();
    let redirect = format!("{BLOG}/.doorward/callback");
    let verifier = "v".repeat(43);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli_00000000000000000000000000"),
        ("code", code),
        ("redirect_uri", &redirect),
        ("code_verifier", &verifier),
    ];
    server.client().post_form("/oauth/token", &pairs).await.must_be(401);
}

#[tokio::test]
async fn nobody_is_led_from_one_site_to_another_or_to_a_stranger() {
    let server = Server::production(far).await;
    let ada = sign_in(&server).await;
    for evil in [
        format!("{SHOP}/x"),
        "https://evil.example/".into(),
        "//evil.example".into(),
        String::new(),
    ] {
        let start = format!("/.doorward/start?rd={}", percent(&evil));
        let reply = at(&server, BLOG).get(&start).await.must_be(303);
        let going = cookie(&reply, "__Host-Http-doorward-going");
        let authorize = location(&reply).strip_prefix(PRODUCTION).unwrap().to_owned();
        let back = location(&ada.get(&authorize).await.must_be(303));
        let callback = back.strip_prefix(BLOG).unwrap();
        let back = at(&server, BLOG).get(callback).cookie(&going).await.must_be(303);
        assert_eq!(location(&back), format!("{BLOG}/"), "{evil}");
    }
    // A cookie that says another way back, as a neighbour on the same host might write it.
    let (authorize, going) = set_out(&server, BLOG, "/").await;
    let (head, _) = going.rsplit_once('.').unwrap();
    let back = location(&ada.get(&authorize).await.must_be(303));
    let evil = format!("{head}.aHR0cHM6Ly9ldmlsLmV4YW1wbGUv");
    let back =
        at(&server, BLOG).get(back.strip_prefix(BLOG).unwrap()).cookie(&evil).await.must_be(303);
    assert_eq!(location(&back), format!("{BLOG}/"));
    // What is no far site has no such pages, and our own client has no other addresses.
    for origin in [PRODUCTION, "https://evil.example"] {
        at(&server, origin).get("/.doorward/start").await.must_be(404);
    }
    for redirect in
        ["https://evil.example/.doorward/callback", "https://blog.example.net/x", PRODUCTION]
    {
        let changed =
            authorize.replace(&percent(&format!("{BLOG}/.doorward/callback")), &percent(redirect));
        assert_ne!(changed, authorize);
        assert_eq!(ada.get(&changed).await.must_be(400).header("location"), None, "{redirect}");
    }
}
