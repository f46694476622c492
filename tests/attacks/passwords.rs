//! Passwords: so long that they stop the server, cut short, or spelled in another form of Unicode.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::Clean;
use crate::harness::{Member, PASSWORD, Process, Server, report};

/// The most memory that a flood of logins may add, in KiB.
const GROWTH_MAX: u64 = 150 * 1024;

async fn register(server: &Server, username: &str, password: &str) -> crate::harness::Reply {
    let body = json!({"username": username, "password": password});
    server.client().post_json("/api/v1/accounts", &body).await.clean()
}

/// Whether this password opens the account, by both ways in. They never disagree.
async fn opens(server: &Server, username: &str, password: &str) -> bool {
    let body = json!({"username": username, "password": password, "carrier": "token"});
    let by_api = server.client().post_json("/api/v1/login", &body).await.clean();
    let form = [("username", username), ("password", password)];
    let request = server.client().post_form("/login", &form).from_origin(&server.origin);
    let by_page = request.await.clean();
    match (by_api.status.as_u16(), by_page.status.as_u16()) {
        (200, 303) => true,
        (401, 401) => false,
        _ => panic!("{}\n{}", by_api.describe(), by_page.describe()),
    }
}

/// Attack 31 (OWASP cheat sheet Password Storage; ASVS 5.0, 6.2.9): a password of megabytes, which
/// a careless server hashes.
#[tokio::test]
async fn a_password_of_megabytes_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let rows = server.rows();
    for megabytes in [1, 10] {
        let long = "p".repeat(megabytes * 1024 * 1024);
        let login = json!({"username": "alice", "password": long, "carrier": "token"});
        let new = json!({"username": "eve", "password": long});
        let body = format!("username=alice&password={long}");
        let form = "application/x-www-form-urlencoded";
        let client = server.client();
        for request in [
            client.post_json("/api/v1/login", &login),
            client.post_json("/api/v1/accounts", &new),
            client.post("/login").from_origin(&server.origin).body(form, body.clone()),
            client.post("/register").from_origin(&server.origin).body(form, body),
        ] {
            let begun = Instant::now();
            request.await.clean().must_be(413);
            let took = begun.elapsed();
            report(&format!("a password of {megabytes} MiB is refused in {took:?}"));
            // On a busy machine; nobody waits for the rest, which takes up to thirty seconds.
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    }
    assert_eq!(server.rows(), rows);
    server.sign_in(&alice).await;
}

/// Attack 31 (NIST SP 800-63B-4, section 3.1.1.2): long honest passwords, and their limit.
#[tokio::test]
async fn passwords_of_64_and_128_characters_are_accepted_and_129_are_not() {
    let server = Server::start().await;
    let words = "violet harbour tin whistle under the seven quiet lanterns, and ";
    let latin: String = words.chars().cycle().take(128).collect();
    let wide: String = "päßwörter für 🔑 門番 ".chars().cycle().take(128).collect();
    for (turn, long) in [latin, wide].into_iter().enumerate() {
        for length in [64, 127, 128] {
            let name = format!("ada-{turn}-{length}");
            let password: String = long.chars().take(length).collect();
            register(&server, &name, &password).await.must_be(201);
            assert!(opens(&server, &name, &password).await, "{length}");
            let less: String = password.chars().take(length - 1).collect();
            assert!(!opens(&server, &name, &less).await, "{length}");
            assert!(!opens(&server, &name, &format!("{password}x")).await, "{length}");
        }
        let rows = server.rows();
        for length in [129, 130, 1024, 4096, 16_000] {
            let password = format!("{long}{}", "x".repeat(length - 128));
            let refused = register(&server, "eve", &password).await;
            let refused = refused.must_be_problem(422, "password-too-long");
            assert_eq!(refused.json()["errors"][0]["pointer"], "/password");
            let form = [("username", "eve"), ("password", password.as_str())];
            let request = server.client().post_form("/register", &form).from_origin(&server.origin);
            request.await.clean().must_be(422);
            // To log in with, it is only a wrong password.
            assert!(!opens(&server, &format!("ada-{turn}-128"), &password).await, "{length}");
        }
        assert_eq!(server.rows().account, rows.account);
    }
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let change = json!({"current": PASSWORD, "new": "x".repeat(129)});
    let refused = browser.post_json("/api/v1/account/password", &change).await.clean();
    refused.must_be_problem(422, "password-too-long");
    server.sign_in(&alice).await;
}

/// Attack 31 (a naive server grew to 4 GB under 64 parallel logins): two hundred logins at once, at
/// the real cost of a password, against the real process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_is_told_to_come_back_and_stops_nobody_else() {
    const FLOOD: usize = 200;
    let process = Process::start(&[]).await;
    let (client, browser) = (process.client(), process.browser());
    let new = json!({"username": "alice", "password": PASSWORD});
    client.post_json("/api/v1/accounts", &new).await.must_be(201);
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "cookie"});
    browser.post_json("/api/v1/login", &login).await.must_be(200);
    let before = resident_kib(process.id());

    let mut flood = JoinSet::new();
    for number in 0..FLOOD {
        let client = client.clone();
        flood.spawn(async move {
            let (name, password) = match number % 3 {
                0 => ("alice", PASSWORD),
                1 => ("alice", "wrong on purpose, all of it"),
                _ => ("nobody", PASSWORD),
            };
            let body = json!({"username": name, "password": password, "carrier": "token"});
            client.post_json("/api/v1/login", &body).await
        });
    }
    let (mut rounds, mut peak) = (Vec::new(), before);
    let mut replies = Vec::new();
    while replies.len() < FLOOD {
        let begun = Instant::now();
        client.get("/livez").await.must_be(200);
        assert!(browser.is_signed_in().await, "a session is answered during the flood");
        rounds.push(begun.elapsed());
        peak = peak.max(resident_kib(process.id()));
        while let Some(reply) = flood.try_join_next() {
            replies.push(reply.unwrap());
        }
    }
    let count = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    let (served, wrong, busy) = (count(200), count(401), count(503));
    rounds.sort_unstable();
    let (median, slowest) = (rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    report(&format!(
        "{FLOOD} logins at once: {served} in, {wrong} wrong, {busy} told to come back; {} rounds \
         of /livez and a session beside them, half of them within {median:?}, the slowest \
         {slowest:?}; memory {before} KiB before, {peak} KiB at most",
        rounds.len()
    ));
    assert_eq!(served + wrong + busy, FLOOD);
    assert!(busy > 0 && served > 0 && wrong > 0);
    for reply in replies.into_iter().filter(|reply| reply.status == 503) {
        let wait: u32 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
        reply.must_be_problem(503, "busy");
    }
    // Behind the hashes they would wait for seconds each; a busy machine may hold up a few.
    assert!(median < Duration::from_millis(500), "{median:?}");
    assert!(peak - before < GROWTH_MAX, "grew from {before} to {peak} KiB");
    // And once it is over, everybody gets in.
    browser.post_json("/api/v1/login", &login).await.must_be(200);
}

/// The memory that a process really has, in KiB.
fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

/// Attack 32 (NIST SP 800-63B-4, section 3.1.1.2; ASVS 5.0, 6.2.8): bcrypt stops at 72 bytes, C at
/// a NUL, and a tidy form trims.
#[tokio::test]
async fn every_character_of_a_password_counts() {
    let server = Server::start().await;
    let words = "under violet lanterns a tin whistle plays for seven quiet harbours and one door ";
    let eighty: String = words.chars().take(80).collect();
    let long: String = "seven quiet lanterns ".chars().cycle().take(128).collect();
    let check = async |name: &str, password: &str, others: &[String]| {
        register(&server, name, password).await.must_be(201);
        assert!(opens(&server, name, password).await, "{name}");
        for other in others {
            assert!(!opens(&server, name, other).await, "{name}: {other:?}");
        }
    };
    let cut = |text: &str, length: usize| text[..length].to_owned();
    let first = [8, 15, 55, 64, 71, 72, 73, 79].map(|length| cut(&eighty, length));
    check("eighty", &eighty, &first).await;
    check("longest", &long, &[cut(&long, 72), cut(&long, 127), format!("{long}a")]).await;
    let nul = "tin whistle\0under the harbour";
    let others = [
        "tin whistle",
        "tin whistle\0",
        "tin whistle\0under the harbouR",
        "tin whistle\
        under the harbour",
        "tin whistle\\0under the harbour",
    ]
    .map(str::to_owned);
    check("nul", nul, &others).await;
    let spaced = "  violet harbour tin  whistle ";
    let others = [
        spaced.trim(),
        spaced.trim_start(),
        spaced.trim_end(),
        "  violet harbour tin \
        whistle ",
    ]
    .map(str::to_owned);
    check("spaced", spaced, &others).await;
    let cased = "Violet Harbour Tin Whistle";
    check("cased", cased, &[cased.to_lowercase(), cased.to_uppercase()]).await;
}

/// Attack 33 (NIST SP 800-63B-4, section 3.1.1.2): one password typed on two keyboards.
#[tokio::test]
async fn a_password_in_another_normal_form_is_the_same_password() {
    let server = Server::start().await;
    let composed = "Ünïcödé für Zoë ånd Ångström";
    let decomposed = "U\u{308}ni\u{308}co\u{308}de\u{301} fu\u{308}r Zoe\u{308} a\u{30a}nd A\u{30a}ngstro\u{308}m";
    assert_ne!(composed, decomposed);
    for (name, set) in [("nfc", composed), ("nfd", decomposed)] {
        register(&server, name, set).await.must_be(201);
        assert!(opens(&server, name, composed).await, "{name}");
        assert!(opens(&server, name, decomposed).await, "{name}");
        // Without its marks it is another one.
        assert!(!opens(&server, name, "Unicode fur Zoe and Angstrom").await, "{name}");
    }
    // Compatibility is not equality: a ligature is not two letters, nor a wide letter a narrow one.
    register(&server, "nfkc", "the o\u{FB03}ce \u{FF41}t the \u{2460} door").await.must_be(201);
    assert!(opens(&server, "nfkc", "the o\u{FB03}ce \u{FF41}t the \u{2460} door").await);
    assert!(!opens(&server, "nfkc", "the office at the 1 door").await);

    // A change of password knows the current one in either form.
    let member =
        Member { id: String::new(), username: "nfc".to_owned(), password: decomposed.to_owned() };
    let browser = server.sign_in(&member).await;
    let change = json!({"current": decomposed, "new": PASSWORD});
    browser.post_json("/api/v1/account/password", &change).await.clean().must_be(200);
    assert!(opens(&server, "nfc", PASSWORD).await);
}
