//! The database of places, as an operator brings it.

use serde_json::json;

use crate::harness::process::Data;
use crate::harness::{Browser, PASSWORD, Process, mmdb};

/// Tries to start a server with this database, and gives what it complains of.
async fn refused(data: &Data, path: &str) -> String {
    let file = data.beside("doorward.toml");
    std::fs::write(&file, format!("[places]\ndatabase = {}\n", json!(path))).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--no-open", "--config", file.to_str().unwrap()];
    let output = data.run("serve", &args).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(!data.path().exists(), "nothing was made");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_database_that_is_none_stops_the_start_and_says_why() {
    let data = Data::fresh();
    let path = |name: &str| data.beside(name).to_str().unwrap().to_owned();
    let missing = path("missing.mmdb");
    let told = refused(&data, &missing).await;
    assert!(told.contains(&missing) && told.contains("No such file"), "{told}");
    assert!(told.contains("Try: [places] database"), "{told}");

    std::fs::write(path("text.mmdb"), "not a database").unwrap();
    assert!(refused(&data, &path("text.mmdb")).await.contains("invalid database"));
    std::fs::write(path("empty.mmdb"), "").unwrap();
    assert!(refused(&data, &path("empty.mmdb")).await.contains("invalid database"));

    mmdb::write_places(path("whole.mmdb").as_ref());
    let whole = std::fs::read(path("whole.mmdb")).unwrap();
    std::fs::write(path("half.mmdb"), &whole[..whole.len() / 2]).unwrap();
    assert!(refused(&data, &path("half.mmdb")).await.contains("invalid database"));

    mmdb::write_others(path("asn.mmdb").as_ref());
    let told = refused(&data, &path("asn.mmdb")).await;
    assert!(told.contains("no place was found in it; it says it is a Test-ASN"), "{told}");

    let told = refused(&data, data.beside("").to_str().unwrap()).await;
    assert!(told.contains("directory"), "{told}");
}

#[tokio::test]
async fn a_database_is_named_in_the_file_and_without_one_nothing_is_missed() {
    let data = Data::fresh();
    let (database, file) = (data.beside("places.mmdb"), data.beside("doorward.toml"));
    mmdb::write_places(&database);
    let text = format!(
        "[server]\nurl = \"https://id.example.com\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
         [registration]\nopen = true\n[signals]\ncontinent = \"note\"\n[places]\ndatabase = {}\n",
        json!(database.to_str().unwrap())
    );
    std::fs::write(&file, &text).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let place = async |process: &Process, ip: &str| {
        let client = process.client().always("x-forwarded-for", ip);
        let browser = Browser::new(client, &process.url);
        let ada = json!({ "username": "ada", "password": PASSWORD });
        browser.post_json("/api/v1/accounts", &ada).await;
        let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
        let session = browser.post_json("/api/v1/login", &login).await.must_be(200).json();
        session["session"]["device"].get("place").cloned()
    };
    let process = data.start(&config).await;
    assert_eq!(place(&process, mmdb::LYON).await, Some(json!("Lyon, France")));
    assert_eq!(place(&process, mmdb::SYDNEY_V6).await, Some(json!("Sydney, Australia")));
    assert_eq!(place(&process, mmdb::NOWHERE).await, None);

    let data = process.stop().await;
    std::fs::write(&file, text.split("[places]").next().unwrap()).unwrap();
    let process = data.start(&config).await;
    assert_eq!(place(&process, mmdb::LYON).await, None);
}

#[tokio::test]
async fn a_reaction_that_is_none_is_told_by_its_line() {
    let data = Data::fresh();
    let file = data.beside("doorward.toml");
    std::fs::write(&file, "[signals]\nbrowser = \"ask\"\ntravel = \"panic\"\n").unwrap();
    let output = data.run("serve", &["--no-open", "--config", file.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("doorward.toml:3: a signal is one of `ask`, `note` and `off`"), "{told}");
}
