//! What is foreign stays outside: scripts on our pages, forms on other pages, frames around ours.
//!
//! Each refusal has its control: the same attack where nothing stands in its way works, so that a
//! test cannot pass because the attack itself is broken.

use std::net::SocketAddr;

use doorward_core::event::EventKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Chromium;
use crate::harness::{PASSWORD, Server, eventually};

/// Somebody else's web site, with one page.
pub(super) struct Elsewhere {
    address: SocketAddr,
}

impl Elsewhere {
    /// Serves `html` at every path until the test ends.
    pub(super) async fn serve(html: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let html = html.clone();
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\
                         Content-Length: {}\r\n\r\n{html}",
                        html.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address }
    }

    /// Its address as another *site* than ours, and as another origin of the *same* site.
    pub(super) fn urls(&self) -> [String; 2] {
        let port = self.address.port();
        [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/")]
    }
}

/// A page whose form sends itself to us as soon as it is there.
fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> String {
    let inputs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("<input type=hidden name='{name}' value='{value}'>"))
        .collect();
    let inputs = inputs.concat();
    format!(
        "<!doctype html><title>elsewhere</title><body onload='document.forms[0].submit()'>\
         <form method=post action='{}{path}'>{inputs}</form>",
        server.origin
    )
}

pub(super) async fn sign_in(chromium: &Chromium, server: &Server, username: &str) {
    chromium.open(&format!("{}/login", server.origin)).await;
    chromium.fill("username", username).await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn a_script_on_the_page_cannot_read_the_cookie() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    chromium.evaluate("document.cookie = 'control=1'").await;
    let seen = chromium.evaluate("return document.cookie").await;
    assert_eq!(seen, "control=1", "the control is there, the session's is not");
    let cookie = chromium.window().get_named_cookie("doorward").await.unwrap();
    assert_eq!(cookie.http_only(), Some(true));
    assert_eq!(cookie.value().len(), 43);
    assert_eq!(cookie.same_site().map(|same_site| same_site.to_string()).as_deref(), Some("Lax"));
    // Where a prefix does not forbid it, it can plant another of that name: both are worth nothing.
    let planted = format!("document.cookie = 'doorward={}; path=/account'", "A".repeat(43));
    chromium.evaluate(&planted).await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.is_at("/login?return_to=/account").await;
}

#[tokio::test]
async fn no_foreign_script_style_or_frame_runs_on_our_pages() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let page = "<!doctype html><title>elsewhere</title><p>nothing forbidden here";
    let elsewhere = Elsewhere::serve(page.to_owned()).await;
    // Put into the page as an injection would: an inline script, a handler, a style, a frame, a
    // script in a URL, text that is evaluated.
    let inject = "
        const done = arguments[arguments.length - 1];
        window.violations = [];
        document.addEventListener('securitypolicyviolation', event =>
            violations.push(event.effectiveDirective));
        window.ran = [];
        const add = (name, fields) =>
            document.body.append(Object.assign(document.createElement(name), fields));
        add('script', { textContent: 'ran.push(\"inline\")' });
        const image = document.createElement('img');
        image.setAttribute('onerror', 'ran.push(\"handler\")');
        image.src = 'data:,';
        document.body.append(image);
        add('script', { src: 'data:text/javascript,ran.push(\"data\")' });
        add('style', { textContent: 'body { --styled: yes }' });
        add('iframe', { srcdoc: '<script>parent.ran.push(\"frame\")</script>' });
        setTimeout('ran.push(\"string\")');
        setTimeout(() => done({
            ran: ran.sort().join(' '),
            styled: getComputedStyle(document.body).getPropertyValue('--styled').trim(),
            violations: violations.length,
        }), 500);
    ";
    let injected = async |url: &str| {
        chromium.open(url).await;
        chromium.window().execute_async(inject, Vec::new()).await.unwrap()
    };
    let control = injected(&elsewhere.urls()[0]).await;
    assert_eq!(control["ran"], "data frame handler inline string", "the attacks themselves work");
    assert_eq!(control["styled"], "yes");
    server.member("ada").await;
    for path in ["/login", "/register", "/setup", "/no-such-page"] {
        let ours = injected(&format!("{}{path}", server.origin)).await;
        assert_eq!(ours["ran"], "", "{path}: {ours}");
        assert_eq!(ours["styled"], "", "{path}: {ours}");
        assert!(ours["violations"].as_u64().unwrap() >= 4, "{path}: {ours}");
    }
}

#[tokio::test]
async fn our_pages_cannot_be_framed() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    let frame = |url: &str| format!("<!doctype html><iframe src='{url}'></iframe>");
    let in_frame = async |url: &str| {
        chromium.open(url).await;
        chromium.window().enter_frame(0).await.unwrap();
        let text = chromium.text().await.unwrap_or_default();
        chromium.window().enter_parent_frame().await.unwrap();
        text
    };
    // The control: a page that does not mind is seen in a frame.
    let willing = Elsewhere::serve("<!doctype html><p>Your account".to_owned()).await;
    let control = Elsewhere::serve(frame(&willing.urls()[0])).await;
    assert!(in_frame(&control.urls()[0]).await.contains("Your account"));
    for path in ["/account", "/login", "/logout", "/no-such-page", "/api/v1/session"] {
        let elsewhere = Elsewhere::serve(frame(&format!("{}{path}", server.origin))).await;
        for url in elsewhere.urls() {
            let text = in_frame(&url).await;
            for ours in ["account", "Sign", "nothing here", "ada"] {
                assert!(!text.contains(ours), "{path} in {url}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_on_another_page_signs_nobody_out() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    let elsewhere = server.sign_in(&ada).await;
    let sid = elsewhere.sid().await;
    let mut refused = 0;
    for (path, fields) in [
        ("/logout", &[][..]),
        ("/account/sessions/end-others", &[]),
        ("/account/sessions/end", &[("sid", sid.as_str())]),
        ("/account/password", &[("current", PASSWORD), ("new", "the thief's own password")]),
    ] {
        let page = Elsewhere::serve(form(&server, path, fields)).await;
        for url in page.urls() {
            chromium.open(&url).await;
            chromium.is_at(path).await;
            chromium.sees("so nothing was done").await;
            refused += 1;
            assert_eq!(server.rows().session, 2, "{path} from {url}");
        }
    }
    assert!(elsewhere.is_signed_in().await);
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.sees("Your account").await;
    eventually("each refusal in the log", async || {
        let count = server.events(EventKind::CsrfRejected).await.len();
        (count == refused).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_form_on_another_page_signs_nobody_in_either() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("mallory").await;
    let fields = [("username", "mallory"), ("password", PASSWORD)];
    for path in ["/login", "/register"] {
        let page = Elsewhere::serve(form(&server, path, &fields)).await;
        for url in page.urls() {
            chromium.open(&url).await;
            chromium.is_at(path).await;
            chromium.sees("so nothing was done").await;
            let cookies = chromium.window().get_all_cookies().await.unwrap();
            assert!(cookies.is_empty(), "{path} from {url}: {cookies:?}");
        }
    }
    assert_eq!(server.rows().session, 0);
    // The control: our own form with the same fields does.
    sign_in(&chromium, &server, "mallory").await;
}

#[tokio::test]
async fn a_script_on_another_page_gets_nothing_from_our_api() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    let page = Elsewhere::serve("<!doctype html><title>elsewhere</title>".to_owned()).await;
    let ask = "
        const [origin, done] = arguments;
        const ask = async (path, init) => {
            try { return (await fetch(origin + path, { credentials: 'include', ...init })).status }
            catch { return 'kept from it' }
        };
        (async () => done([
            await ask('/api/v1/session'),
            await ask('/api/v1/logout', { method: 'POST' }),
            await ask('/api/v1/sessions', { method: 'DELETE' }),
            await ask('/api/v1/login', { method: 'POST', body: '{}',
                headers: { 'content-type': 'application/json' } }),
            await ask('/account'),
            await ask('/.well-known/jwks.json'),
            await ask('/.well-known/jwks.json', { credentials: 'omit' }),
        ]))();
    ";
    for url in page.urls() {
        chromium.open(&url).await;
        let arguments = vec![serde_json::json!(server.origin)];
        let answers = chromium.window().execute_async(ask, arguments).await.unwrap();
        let kept = "kept from it";
        assert_eq!(answers, serde_json::json!([kept, kept, kept, kept, kept, kept, 200]), "{url}");
        assert_eq!(server.rows().session, 1, "{url}");
    }
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.sees(&ada.username).await;
}

#[tokio::test]
async fn an_app_of_an_allowed_origin_reads_with_a_token_and_not_with_the_cookie() {
    let app = Elsewhere::serve("<!doctype html><title>app</title>".to_owned()).await;
    let url = app.urls()[0].clone();
    let origin = url.trim_end_matches('/').to_owned();
    let allowed = doorward_server::cors::Origins::parse([origin.as_str()]).unwrap();
    let server = Server::with(|settings| settings.cors = allowed).await;
    let chromium = Chromium::start().await;
    server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    chromium.open(&url).await;
    let script = |more: &str| {
        format!(
            "const send = (path, options) => fetch('{}/api/v1/' + path, options)
                .then(r => r.json().then(body => [r.status, body])).catch(() => ['unreadable']);
            const post = body => ({{ method: 'POST', body: JSON.stringify(body),
                headers: {{ 'Content-Type': 'application/json' }} }});
            const [status, tokens] = await send('login',
                post({{ username: 'ada', password: '{PASSWORD}', carrier: 'token' }}));
            const headers = {{ Authorization: 'Bearer ' + tokens.access_token }};
            {more}",
            server.origin
        )
    };
    let run = async |more: &str| {
        let body = script(more);
        chromium.evaluate(&format!("return (async () => {{ {body} }})();")).await
    };
    let seen = run("const [s, b] = await send('session', { headers });
        return [status, s, b.carrier, b.account.username];");
    assert_eq!(seen.await, serde_json::json!([200, 200, "token", "ada"]));
    // A method and a header field that ask first.
    let seen = run("const r = await send('session/data/a', { method: 'PUT', body: '1',
            headers: { ...headers, 'Content-Type': 'application/json', 'If-None-Match': '*' } });
        return r[0];");
    assert_eq!(seen.await, 201);
    // The cookie goes along, and nothing comes back that a script could read.
    let seen = run("return (await send('session', { credentials: 'include' }))[0];");
    assert_eq!(seen.await, "unreadable");
}
