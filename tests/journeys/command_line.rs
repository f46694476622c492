//! The process: what it prints, how it stops, what it refuses to start with.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::process::{Data, run};
use crate::harness::{PASSWORD, Process, report, within};

#[tokio::test]
async fn ready_is_one_line_of_json_that_names_the_port() {
    let process = Process::start(&[]).await;
    assert_ne!(process.address.port(), 0);
    assert_eq!(process.url, format!("http://localhost:{}", process.address.port()));
    assert_eq!(process.stdout().lines().count(), 1, "{}", process.stdout());
    let took_ms = process.ready["took_ms"].as_u64().unwrap();
    report(&format!("a first start took {took_ms} ms"));
    assert!(took_ms < 5000, "{took_ms}");
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(process.client().get(path).await.must_be(200).text(), "ok\n");
    }
    // Every name of this machine is good in development, and no other.
    let port = process.address.port();
    for host in ["127.0.0.1", "[::1]", "app.localhost"] {
        let request = process.client().get("/login").without("host");
        request.header("host", format!("{host}:{port}")).await.must_be(200);
    }
    let request = process.client().get("/login").without("host").header("host", "evil.example");
    request.await.must_be(421);
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let process = Process::start(&[]).await;
    let args = ["--listen", "127.0.0.1:0", "--no-open"];
    let output = process.data().run("serve", &args).await;
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("\nTry: "), "{told}");
    assert!(told.contains("another doorward is serving from"), "{told}");
    process.client().get("/readyz").await.must_be(200);
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_try_on_a_line_of_its_own() {
    let process = Process::start(&[]).await;
    let address = process.address.to_string();
    let output = Data::fresh().run("serve", &["--listen", &address, "--no-open"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&format!("listening on {address}: ")), "{told}");
    assert!(told.ends_with("\nTry: --listen 127.0.0.1:0\n"), "{told}");
}

/// A request for an account that the server is reading, and whose body is still to come.
async fn under_way(process: &Process, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(process.address).await.unwrap();
    let head = format!(
        "POST /api/v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n",
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server says so once somebody in it waits for the body (RFC 9110, section 10.1.1).
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = [0; 25];
    let reading = stream.read_exact(&mut said);
    within(Duration::from_secs(10), "100 Continue", reading).await.unwrap();
    assert_eq!(&said, go_on);
    stream
}

#[tokio::test]
async fn sigterm_lets_a_request_under_way_finish_and_exits_with_zero() {
    let mut process = Process::start(&[]).await;
    let body = format!(r#"{{"username":"ada","password":"{PASSWORD}"}}"#);
    let mut stream = under_way(&process, body.len()).await;
    let (first, last) = body.split_at(10);
    stream.write_all(first.as_bytes()).await.unwrap();

    process.terminate();
    let client = process.client();
    crate::harness::eventually("the end of readiness", async || {
        // Whoever keeps the process running hears "no", or nothing.
        match client.get("/readyz").attempt().await {
            Some(reply) if reply.status == 200 => None,
            Some(reply) => {
                assert_eq!(reply.status, 503);
                Some(())
            }
            None => Some(()),
        }
    })
    .await;
    stream.write_all(last.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    within(Duration::from_secs(10), "the answer", reading).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.stderr());

    let process = process.data().clone().start(&[]).await;
    let login = serde_json::json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    process.browser().post_json("/api/v1/login", &login).await.must_be(200);
}

#[tokio::test]
async fn while_it_drains_readyz_says_no_to_whoever_still_asks() {
    let process = Process::start(&[]).await;
    let mut busy = under_way(&process, 100).await;
    busy.write_all(b"{").await.unwrap();
    process.terminate();
    let reply = crate::harness::eventually("/readyz answers that it drains", async || {
        // A connection that came in just before the signal may be closed without an answer.
        let reply = process.client().get("/readyz").attempt().await;
        reply.filter(|reply| reply.status != 200)
    })
    .await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.text(), "draining\n");
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let process = Process::start(&[]).await;
    let mut idle = TcpStream::connect(process.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut chunk = [0; 1024];
    assert_ne!(idle.read(&mut chunk).await.unwrap(), 0, "kept alive, and idle from now on");
    let begun = std::time::Instant::now();
    process.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn help_tells_a_newcomer_what_they_need() {
    for args in [&[][..], &["--help"]] {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(0));
        let help = String::from_utf8(output.stdout).unwrap();
        for text in ["serve", "admin", "account", "http://localhost:7117", "doorward serve --url"] {
            assert!(help.contains(text), "{text} is missing:\n{help}");
        }
        assert!(help.contains("Exit codes"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    let output = run(&["serve", "--help"]).await;
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in ["--listen", "--data", "--url", "--config", "--trusted-proxy", "--no-open"] {
        assert!(help.contains(flag), "{flag} is missing:\n{help}");
    }
    let output = run(&["--version"]).await;
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.trim(), format!("doorward {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn wrong_usage_exits_with_two() {
    for args in [
        &["--no-such-flag"][..],
        &["serve", "--no-such-flag"],
        &["serve", "--trusted-proxy", "not-a-range"],
        &["no-such-command"],
        &["admin"],
        &["account", "add"],
    ] {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_told_by_file_line_and_nearest_key() {
    let data = Data::fresh();
    let file = data.beside("doorward.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\n\n[session]\nidel = \"1h\"\n")
        .unwrap();
    let output = data.run("serve", &["--no-open", "--config", file.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&format!("{}:5", file.display())), "{told}");
    assert!(told.contains("`idel`"), "{told}");
    assert!(told.contains("Try: idle"), "{told}");
    assert!(!data.path().exists(), "nothing was made");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_is_refused_before_anything_is_made() {
    for (args, advice) in [
        (&["--url", "https://id.example.com"][..], "--trusted-proxy"),
        (&["--url", "http://id.example.com"], "--url https://"),
        (&["--trusted-proxy", "127.0.0.1/32"], "--url https://"),
    ] {
        let data = Data::fresh();
        let args = [&["--listen", "127.0.0.1:0", "--no-open"], args].concat();
        let output = data.run("serve", &args).await;
        assert_eq!(output.status.code(), Some(78), "{args:?}: {output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        let tried = told.split_once("Try: ").unwrap_or_else(|| panic!("no advice: {told}")).1;
        assert!(tried.contains(advice), "{told}");
        assert!(!data.path().exists(), "nothing was made: {args:?}");
    }
}

#[tokio::test]
async fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let data = Data::fresh();
    let file = data.beside("doorward.toml");
    std::fs::write(
        &file,
        "[server]\nurl = \"https://file.example\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
         [password]\nlength_min = 8\n",
    )
    .unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let process = data.start(&[&config[..], &["--url", "https://flag.example"]].concat()).await;
    assert_eq!(process.url, "https://flag.example");
    let reply = process.client().get("/login").header("x-forwarded-proto", "https").await;
    assert!(reply.must_be(200).header("strict-transport-security").is_some());
    let data = process.stop().await;
    let process = data.start(&config).await;
    assert_eq!(process.url, "https://file.example");
}

#[tokio::test]
async fn development_is_for_this_machine_only() {
    let data = Data::fresh();
    let output = data.run("serve", &["--listen", "0.0.0.0:0", "--no-open"]).await;
    assert_ne!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("Try: --url"), "{told}");
    assert!(!data.path().exists(), "nothing was made");
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_try() {
    let process = Process::start(&[]).await;
    let listen = process.address.to_string();
    let output = Data::fresh().run("serve", &["--listen", &listen, "--no-open"]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&listen) && told.contains("Try: "), "{told}");
}

#[tokio::test]
async fn healthcheck_answers_by_its_exit_code() {
    let process = Process::start(&[]).await;
    let listen = process.address.to_string();
    assert_eq!(run(&["healthcheck", "--listen", &listen]).await.status.code(), Some(0));
    process.stop().await;
    assert_eq!(run(&["healthcheck", "--listen", &listen]).await.status.code(), Some(3));
}

#[tokio::test]
async fn a_master_key_that_is_missing_stops_the_start() {
    let data = Process::start(&[]).await.stop().await;
    std::fs::remove_file(data.path().join("master.key")).unwrap();
    let output = data.run("serve", &["--listen", "127.0.0.1:0", "--no-open"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("master.key") && told.contains("Try: "), "{told}");
    let made = data.path().join("master.key").exists();
    assert!(!made, "a new key would refuse every token of the old");
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    let data = Data::fresh();
    let file = data.beside("doorward.toml");
    std::fs::write(&file, "[log]\nfilter = \"trace\"\n").unwrap();
    let process = data.start(&["--config", file.to_str().unwrap()]).await;
    let account = serde_json::json!({ "username": "ada", "password": PASSWORD });
    process.client().post_json("/api/v1/accounts", &account).await.must_be(201);
    let login = |carrier: &str, password: &str| serde_json::json!({ "username": "ada", "password": password, "carrier": carrier });
    let browser = process.browser();
    browser.post_json("/api/v1/login", &login("cookie", PASSWORD)).await.must_be(200);
    let client = process.client();
    let reply = client.post_json("/api/v1/login", &login("token", PASSWORD)).await.must_be(200);
    let tokens = crate::harness::Tokens::read(&reply);
    let wrong = "a wrong one of mine";
    client.post_json("/api/v1/login", &login("token", wrong)).await.must_be(401);
    client.get("/api/v1/session").bearer(&tokens.access).await.must_be(200);
    let refresh = serde_json::json!({ "refresh_token": tokens.refresh });
    client.post_json("/api/v1/refresh", &refresh).await.must_be(200);
    client.get("/api/v1/session").bearer(&format!("{}x", tokens.access)).await.must_be(401);
    let link = std::fs::read_to_string(data.path().join("setup-link")).unwrap();
    let setup = link.trim_end().rsplit("dws_").next().unwrap().to_owned();
    let secret = browser.secret();
    browser.post("/api/v1/logout").await.must_be(204);
    crate::harness::eventually("the refusal in the log", async || {
        process.stderr().contains("a credential was refused").then_some(())
    })
    .await;
    let log = process.stderr();
    let signature = tokens.access.rsplit('.').next().unwrap();
    for secret in
        [PASSWORD, wrong, &secret, signature, tokens.refresh.trim_start_matches("dwr_"), &setup]
    {
        assert!(!log.contains(secret), "in the log: {secret}");
    }
}

#[tokio::test]
async fn a_site_is_added_listed_and_tried() {
    let process = Process::start(&[]).await;
    let body = serde_json::json!({ "username": "ada", "password": PASSWORD });
    process.client().post_json("/api/v1/accounts", &body).await.must_be(201);
    let data = process.data();
    let file = data.beside("sites.toml");
    std::fs::write(
        &file,
        "[[site]]\norigin = \"http://wiki.localhost:8080\"\n[[site.rule]]\npath = \"/admin\"\nroles = \
         [\"administrator\"]\n",
    )
    .unwrap();
    let config = file.to_str().unwrap();
    let site = async |words: &[&str]| {
        let verb = words[0];
        let words = [&words[1..], &["--config", config]].concat();
        let output = data.run(&format!("site {verb}"), &words).await;
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = site(&["add", "http://shop.localhost:8080"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = site(&["list"]).await;
    assert_eq!(code, 0);
    for line in
        ["http://wiki.localhost:8080", "members: administrator", "http://shop.localhost:8080"]
    {
        assert!(said.contains(line), "{said}");
    }
    for (words, expected, answer) in [
        (["ada", "GET", "http://wiki.localhost:8080/x?y"], 0, "allowed (no rule fits, so members)"),
        (
            ["ada", "GET", "http://wiki.localhost:8080/admin"],
            3,
            "denied: it is for others (rule 1, /admin",
        ),
        (
            ["ada", "get", "http://wiki.localhost:8080/x/../admin"],
            3,
            "denied: it is for others (rule 1",
        ),
        (["-", "GET", "http://shop.localhost:8080"], 3, "sign in first"),
        (["ada", "GET", "http://blog.localhost:8080/"], 3, "no site is set up"),
        (["bob", "GET", "http://wiki.localhost:8080/"], 4, "no account bob"),
        (["ada", "GET", "wiki"], 1, "no address"),
    ] {
        let (code, said) = site(&[&["check"], &words[..]].concat()).await;
        assert_eq!(code, expected, "{words:?}: {said}");
        assert!(said.contains(answer), "{words:?}: {said}");
    }
    let (code, said) = site(&["add", "http://app.example.com"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("plain HTTP") && said.contains("\nTry: "), "{said}");
}
