//! A first start: nothing to configure, one link for the first administrator.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use doorward_server::flow::setup;

use crate::harness::process::Data;
use crate::harness::{Browser, PASSWORD, Process, Reply, Server};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn link_file(data: &Data) -> String {
    std::fs::read_to_string(data.path().join("setup-link")).unwrap()
}

async fn set_up(browser: &Browser, code: &str, username: &str) -> Reply {
    let fields = [("code", code), ("username", username), ("password", PASSWORD)];
    browser.post_form("/setup", &fields).await
}

#[track_caller]
fn must_be_spent(reply: &Reply) {
    assert_eq!(reply.status, 403, "{}", reply.describe());
    assert!(reply.text().contains("was used or is too old"), "{}", reply.text());
    assert_eq!(reply.set_cookie(), None);
}

#[tokio::test]
async fn the_first_start_makes_a_folder_that_only_its_owner_can_read() {
    let process = Process::start(&[]).await;
    let folder = process.data().path();
    assert_eq!(mode(folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    for name in ["doorward.db", "master.key", "setup-link"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    let link = link_file(process.data());
    let secret = link.trim_end().strip_prefix(&format!("{}/setup#dws_", process.url)).unwrap();
    assert_eq!(secret.len(), 43);
    for printed in [process.stdout(), process.stderr()] {
        assert!(!printed.contains(secret), "where nobody sits, the link is in the file alone");
    }
}

#[tokio::test]
async fn the_setup_link_makes_one_administrator_and_works_once() {
    let process = Process::start(&[]).await;
    let link = link_file(process.data());
    let browser = process.browser();
    browser.get("/setup").await.must_be(200);
    let reply = set_up(&browser, &link, "ada").await.must_be(303);
    assert!(reply.location().starts_with("/account"));
    let account = browser.get("/api/v1/account").await.must_be(200).json();
    assert_eq!(account["username"], "ada");
    assert_eq!(account["role"], "administrator");

    let second = process.browser();
    must_be_spent(&set_up(&second, &link, "eve").await);
    let accounts = process.data().run("account list", &["--json"]).await;
    assert!(accounts.status.success());
    assert_eq!(String::from_utf8(accounts.stdout).unwrap().lines().count(), 1);

    let process = process.stop().await.start(&[]).await;
    let link_is_there = process.data().path().join("setup-link").exists();
    assert!(!link_is_there, "there is an administrator: nothing is left to be found");
    assert!(!process.stdout().contains("setup"));
}

#[tokio::test]
async fn whoever_has_no_link_makes_no_administrator() {
    let process = Process::start(&[]).await;
    let good = link_file(process.data());
    let browser = process.browser();
    let guess = format!("dws_{}", "A".repeat(43));
    let without_prefix = good.trim_end().replace("dws_", "");
    for code in ["", "dws_", "garbage", &guess, &without_prefix, &good.to_ascii_uppercase()] {
        must_be_spent(&set_up(&browser, code, "eve").await);
    }
    // An account of one's own is a member's, however early it was made.
    let fields = [("username", "eve"), ("password", PASSWORD), ("role", "administrator")];
    browser.post_form("/register", &fields).await.must_be(303);
    let account = browser.get("/api/v1/account").await.must_be(200).json();
    assert_eq!(account["role"], "member");
    // A guess spends nothing.
    set_up(&process.browser(), &good, "ada").await.must_be(303);
}

#[tokio::test]
async fn a_form_with_a_fault_in_it_does_not_spend_the_link() {
    let process = Process::start(&[]).await;
    let link = link_file(process.data());
    let browser = process.browser();
    let fields = [("code", link.as_str()), ("username", "ada"), ("password", "short")];
    let reply = browser.post_form("/setup", &fields).await.must_be(422);
    assert!(reply.text().contains(link.trim_end()), "the code is still in its field");
    set_up(&browser, &link, "ada").await.must_be(303);
}

#[tokio::test]
async fn a_setup_link_works_for_half_an_hour_and_not_at_its_end() {
    let server = Server::start().await;
    let draw = async || {
        let secret = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
        format!("{}{}", setup::PREFIX, secret.expose().as_str())
    };
    let code = draw().await;
    server.clock.advance_seconds(30 * 60);
    must_be_spent(&set_up(&server.browser(), &code, "eve").await);
    let code = draw().await;
    server.clock.advance_seconds(30 * 60 - 1);
    set_up(&server.browser(), &code, "ada").await.must_be(303);
    assert_eq!(server.rows().account, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_share_a_link_one_becomes_administrator() {
    let server = Server::start().await;
    let secret = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, secret.expose().as_str());
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let (browser, code) = (server.browser(), code.clone());
            let name = format!("racer{racer}");
            tokio::spawn(async move { set_up(&browser, &code, &name).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for racer in racers {
        statuses.push(racer.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 303);
    assert!(statuses[1..].iter().all(|status| *status == 403), "{statuses:?}");
    assert_eq!(server.rows().account, 1);
}

#[tokio::test]
async fn admin_link_makes_a_new_link_beside_the_running_server_and_ends_the_old() {
    let process = Process::start(&[]).await;
    let old = link_file(process.data());
    let output = process.data().run("admin link", &["--url", &process.url]).await;
    assert!(output.status.success(), "{output:?}");
    let new = String::from_utf8(output.stdout).unwrap();
    assert!(new.starts_with(&format!("{}/setup#dws_", process.url)), "{new}");
    assert_ne!(new, old);
    assert_eq!(link_file(process.data()), new, "the file has the new one");
    assert_eq!(mode(&process.data().path().join("setup-link")), 0o600);
    must_be_spent(&set_up(&process.browser(), &old, "eve").await);
    set_up(&process.browser(), &new, "ada").await.must_be(303);

    // Once there is an administrator, whoever can run it on the machine can still make another.
    let output = process.data().run("admin link", &["--url", &process.url]).await;
    let another = String::from_utf8(output.stdout).unwrap();
    set_up(&process.browser(), &another, "grace").await.must_be(303);
}

#[tokio::test]
async fn a_restart_keeps_a_link_that_is_good_and_removes_one_that_is_spent() {
    let process = Process::start(&[]).await;
    let first = link_file(process.data());
    set_up(&process.browser(), &first, "ada").await.must_be(303);
    let output = process.data().run("admin link", &["--url", &process.url]).await;
    assert!(output.status.success(), "{output:?}");
    let good = link_file(process.data());

    let process = process.kill().await.start(&[]).await;
    assert_eq!(link_file(process.data()), good);
    set_up(&process.browser(), &good, "bob").await.must_be(303);

    let process = process.kill().await.start(&[]).await;
    assert!(!process.data().path().join("setup-link").exists());
}

#[tokio::test]
async fn admin_link_where_there_is_no_server_says_what_to_try() {
    let output = Data::fresh().run("admin link", &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    let advice = told.split_once("Try: ").unwrap_or_else(|| panic!("no advice: {told}")).1;
    assert!(advice.contains("doorward serve"), "{told}");
    assert!(output.stdout.is_empty());
}
