//! Pictures of every page, dark and light, on a desk and on a phone, for a person to look at.
//!
//! What can be measured is asserted: nothing is wider than the window, buttons are large enough for
//! a finger (WCAG 2.2, 2.5.8), and text stands out from what is behind it (1.4.3).

use serde_json::Value;

use super::Chromium;
use crate::harness::{Member, PASSWORD, Server};

const DESK: (u32, u32) = (1200, 900);
const PHONE: (u32, u32) = (390, 844);

/// Measures a page as it is now. Contrast is that of WCAG 2.2, 1.4.3, against the nearest ancestor
/// that has a colour of its own.
const MEASURE: &str = "
    const rgb = text => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const light = ([r, g, b]) => {
        const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const color = rgb(getComputedStyle(e).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
    };
    const shown = e => e.checkVisibility() && e.getBoundingClientRect().width > 1;
    const faint = [], small = [];
    for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || !shown(e)) continue;
        const style = getComputedStyle(e);
        const [a, b] = [light(rgb(style.color)), light(behind(e))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24;
        if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5))
            faint.push(`${e.tagName} ${e.textContent.trim().slice(0, 40)} ${style.color}`);
    }
    for (const e of document.querySelectorAll('button, a.button, input[type=checkbox]')) {
        const box = (e.type === 'checkbox' ? e.closest('label') ?? e : e).getBoundingClientRect();
        if (shown(e) && (box.width < 24 || box.height < 24))
            small.push(`${e.textContent.trim()} ${box.width}x${box.height}`);
    }
    return { faint, small, wide: document.documentElement.scrollWidth - innerWidth,
             height: document.documentElement.scrollHeight };
";

/// Takes the page in every light and size, and measures it in each.
pub(super) async fn take(chromium: &Chromium, name: &str) {
    for (size, device) in [(DESK, "desk"), (PHONE, "phone")] {
        for scheme in ["light", "dark"] {
            let is_phone = device == "phone";
            chromium.prefer(scheme).await;
            chromium.resize(size, is_phone).await;
            let measured = chromium.evaluate(MEASURE).await;
            let what = format!("{name}, {scheme}, {device}");
            assert!(measured["wide"].as_i64().unwrap() <= 0, "{what}: wider than the window");
            assert_eq!(measured["faint"], Value::Array(Vec::new()), "{what}: hard to read");
            assert_eq!(measured["small"], Value::Array(Vec::new()), "{what}: hard to hit");
            let height = u32::try_from(measured["height"].as_u64().unwrap()).unwrap();
            chromium.resize((size.0, height.max(size.1)), is_phone).await;
            chromium.picture(&format!("{name}-{device}-{scheme}")).await;
        }
    }
}

/// Signs in from devices that are known, and from one that says too much.
async fn from_many_devices(server: &Server, ada: &Member) {
    for agent in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
         (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        &"a-very-long-name-without-any-space".repeat(8),
    ] {
        let browser = server.browser();
        let body = crate::harness::server::login_body(ada, "cookie", serde_json::json!({}));
        let login = browser.request("POST", "/api/v1/login").json(&body);
        browser.send(login.header("user-agent", agent)).await.must_be(200);
    }
}

#[tokio::test]
async fn every_page_is_legible_in_any_light_and_fits_a_phone() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    let open = async |path: &str| chromium.open(&format!("{}{path}", server.origin)).await;
    for (name, path) in [
        ("login", "/login"),
        ("register", "/register"),
        ("setup", "/setup"),
        ("not-found", "/no-such-page"),
    ] {
        open(path).await;
        take(&chromium, name).await;
    }

    open("/login").await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", "not the password").await;
    chromium.press("Sign in").await;
    chromium.sees("don’t match").await;
    take(&chromium, "login-wrong").await;

    open("/register").await;
    chromium.evaluate("document.querySelector('main form').noValidate = true").await;
    chromium.fill("username", "two words").await;
    chromium.fill("email", "no address").await;
    chromium.fill("password", "short").await;
    chromium.press("Create account").await;
    chromium.sees("Please look at this again").await;
    take(&chromium, "register-faults").await;

    from_many_devices(&server, &ada).await;
    server.tokens(&ada).await;
    open("/login").await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.sees("Where you are signed in").await;
    take(&chromium, "account").await;
    open("/account/tokens").await;
    chromium.fill("name", "nightly backup").await;
    chromium.fill("scope", "profile").await;
    chromium.press("Make token").await;
    chromium.sees("Copy it now").await;
    take(&chromium, "tokens").await;
    open("/account/activity").await;
    take(&chromium, "activity").await;
    open("/account?said=not-me").await;
    take(&chromium, "account-not-me").await;
    open("/login").await;
    take(&chromium, "login-already").await;
    open("/logout").await;
    take(&chromium, "logout").await;
}

#[tokio::test]
async fn the_cookie_linter_is_legible_in_any_light_and_fits_a_phone() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let open = async |path: &str| chromium.open(&format!("{}{path}", server.origin)).await;
    open("/inspect/cookie").await;
    take(&chromium, "cookie-linter").await;
    chromium.fill("line", "__Host-sid=31d4; Path=/app; Domain=example.com; Secure=0").await;
    chromium.press("Explain").await;
    chromium.sees("Dropped, when it is set by").await;
    take(&chromium, "cookie-linter-dropped").await;
    chromium.fill("line", "sid=31d4; Secure; HttpOnly; SameSite=Lax; Path=/").await;
    chromium.fill("to", "https://id.example.com/app").await;
    chromium.evaluate("document.querySelector('#method').value = 'POST'").await;
    chromium.evaluate("document.querySelector('#site').value = 'cross-site'").await;
    chromium.press("Explain").await;
    chromium.sees("Not sent with POST").await;
    take(&chromium, "cookie-linter-kept").await;
    chromium.evaluate("document.querySelector('main form').noValidate = true").await;
    chromium.fill("line", " ").await;
    chromium.fill("from", "no address").await;
    chromium.press("Explain").await;
    chromium.sees("Please look at this again").await;
    take(&chromium, "cookie-linter-faults").await;
}

#[tokio::test]
async fn the_token_inspector_is_legible_in_any_light_and_fits_a_phone() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let tokens = server.tokens(&server.member("ada").await).await;
    let open = async |path: &str| chromium.open(&format!("{}{path}", server.origin)).await;
    open("/inspect/token").await;
    take(&chromium, "token-inspector").await;
    chromium.fill("token", &tokens.access).await;
    chromium.press("Explain").await;
    chromium.sees("This token counts.").await;
    take(&chromium, "token-inspector-good").await;
    chromium.fill("token", &tokens.access[..tokens.access.len() - 4]).await;
    chromium.press("Explain").await;
    chromium.sees("This token is refused.").await;
    take(&chromium, "token-inspector-refused").await;
}
