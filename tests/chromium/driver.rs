//! Chromium with a profile of its own, and chromedriver on a port of its own choice.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WindowHandle;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::nginx::{self, Nginx};
use crate::harness::{Folder, eventually, within};

/// Where Debian puts them.
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
const CHROMIUM: &str = "/usr/bin/chromium";

/// What a window without a person and without the network is started with.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
];

/// A browser window. Dropped, it is closed whatever happened.
pub(super) struct Chromium {
    window: Client,
    driver: Child,
    address: SocketAddr,
    profile: Folder,
}

impl Chromium {
    /// Opens a window.
    pub(super) async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// Opens a window in which no page may run a script.
    pub(super) async fn without_javascript() -> Self {
        Self::with(json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    /// Opens a window that finds [`NAME`](nginx::NAME) and the hosts under it on this machine, and
    /// trusts the key of this nginx: a test has signed its certificate itself.
    pub(super) async fn behind(nginx: &Nginx) -> Self {
        Self::with_flags(json!({}), &Self::flags(nginx)).await
    }

    fn flags(nginx: &Nginx) -> [String; 2] {
        let finds = format!("MAP {0} 127.0.0.1, MAP *.{0} 127.0.0.1", nginx::NAME);
        let trusts = nginx.key_digest();
        [
            format!("--host-resolver-rules={finds}"),
            format!("--ignore-certificate-errors-spki-list={trusts}"),
        ]
    }

    /// The same window, which binds sessions to a key that it has made in software.
    pub(super) async fn with_a_key(nginx: &Nginx) -> Self {
        let features =
            "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";
        let flag = format!("--enable-features={features}");
        Self::with_flags(json!({}), &[&Self::flags(nginx)[..], &[flag]].concat()).await
    }

    async fn with(preferences: Value) -> Self {
        Self::with_flags(preferences, &[]).await
    }

    async fn with_flags(preferences: Value, flags: &[String]) -> Self {
        for program in [CHROMIUM, CHROMEDRIVER] {
            assert!(
                Path::new(program).exists(),
                "{program} is missing: apt install chromium chromium-driver"
            );
        }
        let profile = Folder::fresh();
        // It picks a port by itself, and ends where somebody else was quicker with the same.
        let mut tries = (0..5).map(|_| start_driver(&profile));
        let found = tries.find_map(|mut driver| match port(&mut driver) {
            Some(port) => Some((driver, port)),
            None => driver.wait().ok().and(None),
        });
        let (mut driver, port) = found.unwrap_or_else(|| panic!("chromedriver does not listen"));
        let profile_flag = format!("--user-data-dir={}", profile.path().display());
        let args: Vec<&str> = FLAGS
            .into_iter()
            .chain([profile_flag.as_str()])
            .chain(flags.iter().map(String::as_str))
            .collect();
        let options = json!({ "binary": CHROMIUM, "prefs": preferences, "args": args });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let url = format!("http://{address}");
        let connecting = builder.capabilities(capabilities).connect(&url);
        let window = within(Duration::from_mins(1), "a browser window", connecting).await;
        match window {
            Ok(window) => Self { window, driver, address, profile },
            Err(error) => {
                // Dropped as it is, a process of the standard library goes on.
                end(&mut driver, &profile);
                panic!("no browser window: {error}");
            }
        }
    }

    /// What `WebDriver` can do.
    pub(super) fn window(&self) -> &Client {
        &self.window
    }

    /// Goes to a page.
    pub(super) async fn open(&self, url: &str) {
        within(Duration::from_secs(20), "a page", self.window.goto(url)).await.unwrap();
    }

    /// Opens another tab of the same browser and goes to it. Gives the one before and the new one.
    pub(super) async fn second_tab(&self) -> (WindowHandle, WindowHandle) {
        let one = self.window.window().await.unwrap();
        let other = self.window.new_window(true).await.unwrap().handle;
        self.go_to_tab(&other).await;
        (one, other)
    }

    /// Goes to a tab.
    pub(super) async fn go_to_tab(&self, tab: &WindowHandle) {
        self.window.switch_to_window(tab.clone()).await.unwrap();
    }

    /// Types into the field of this name, in place of what is there.
    pub(super) async fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("input[name={name}], textarea[name={name}]")).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Ticks or unticks the box of this name.
    pub(super) async fn toggle(&self, name: &str) {
        self.find(&format!("input[name={name}]")).await.click().await.unwrap();
    }

    /// Presses the one button of `main` that begins with these words.
    pub(super) async fn press(&self, words: &str) {
        let found = format!("//main//button[starts-with(normalize-space(.), '{words}')]");
        let mut buttons = self.window.find_all(Locator::XPath(&found)).await.unwrap();
        assert_eq!(buttons.len(), 1, "buttons that begin with {words:?} on {}", self.path().await);
        buttons.remove(0).click().await.unwrap();
    }

    /// The element that a selector finds.
    pub(super) async fn find(&self, css: &str) -> fantoccini::elements::Element {
        match self.window.find(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css} on {}: {error}", self.path().await),
        }
    }

    /// Waits until the page says `text`, and fails with what it says instead.
    pub(super) async fn sees(&self, text: &str) {
        let mut said = String::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            // Between two pages there may be none.
            if let Some(now) = self.text().await {
                if now.contains(text) {
                    return;
                }
                said = now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{text:?} is nowhere on {}:\n{said}", self.path().await);
    }

    /// What the page says now.
    pub(super) async fn text(&self) -> Option<String> {
        let body = self.window.find(Locator::Css("body")).await.ok()?;
        body.text().await.ok()
    }

    /// Waits until the address is this path and query.
    pub(super) async fn is_at(&self, path: &str) {
        eventually("another address in the browser", async || {
            (self.path().await == path).then_some(())
        })
        .await;
    }

    /// The path and query of the address.
    pub(super) async fn path(&self) -> String {
        let url = self.window.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    }

    /// Runs a script as the developer's console does, which no page's policy forbids.
    pub(super) async fn evaluate(&self, script: &str) -> Value {
        self.window.execute(script, Vec::new()).await.unwrap()
    }

    /// Makes the window this wide and high, as a phone's where `is_phone`.
    pub(super) async fn resize(&self, (width, height): (u32, u32), is_phone: bool) {
        let parameters = json!({
            "width": width, "height": height, "mobile": is_phone,
            "deviceScaleFactor": if is_phone { 2 } else { 1 },
        });
        self.devtools("Emulation.setDeviceMetricsOverride", parameters).await;
    }

    /// Prefers `light` or `dark`, as a person's system does.
    pub(super) async fn prefer(&self, scheme: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": feature })).await;
    }

    /// Puts a cookie into the browser as if the site at `url` had set it.
    pub(super) async fn plant(&self, url: &str, (name, value): (&str, &str)) {
        let cookie = json!({
            "url": url, "name": name, "value": value, "httpOnly": true, "sameSite": "Lax",
        });
        self.devtools("Network.setCookie", cookie).await;
    }

    /// Gives a command of the `DevTools` protocol, for what `WebDriver` has no word for.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) {
        let session = self.window.session_id().await.unwrap().unwrap();
        let target = format!("/session/{session}/goog/cdp/execute");
        let body = json!({ "cmd": command, "params": parameters });
        let driver = crate::harness::Client::new(self.address, "localhost");
        driver.post_json(&target, &body).await.must_be(200);
    }

    /// Takes a picture of what is in the window.
    pub(super) async fn picture(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/artefacts");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, self.window.screenshot().await.unwrap()).unwrap();
        path
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        end(&mut self.driver, &self.profile);
    }
}

/// Starts the driver. Whatever it or its browser leaves lying about, it leaves in our folder.
fn start_driver(profile: &Folder) -> Child {
    Command::new(CHROMEDRIVER)
        .arg("--port=0")
        .env("TMPDIR", profile.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The port that the system picked, from the line that tells it.
fn port(driver: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(driver.stdout.take()?).lines();
    let port = lines.find_map(|line| {
        let line = line.ok()?;
        let (_, rest) = line.split_once("started successfully on port ")?;
        rest.trim_end_matches('.').parse().ok()
    });
    // What it says later is read too, so that it never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    port
}

/// Ends the driver, and every process that it started: those that know the profile's folder, which
/// is ours alone. Then nobody writes into it any more, and it can go.
fn end(driver: &mut Child, profile: &Folder) {
    // A process that has ended by itself is no error here.
    let _ = driver.kill();
    let _ = driver.wait();
    let ours = profile.path().as_os_str().as_encoded_bytes();
    let begun = Instant::now();
    loop {
        let left = processes_with(ours);
        if left.is_empty() || begun.elapsed() > Duration::from_secs(5) {
            return;
        }
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every process with this text in its command line or its environment.
fn processes_with(text: &[u8]) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let has = |name: &str| {
            let known = std::fs::read(entry.path().join(name)).unwrap_or_default();
            known.windows(text.len()).any(|window| window == text)
        };
        Pid::from_raw(id).filter(|_| has("cmdline") || has("environ"))
    });
    found.collect()
}
