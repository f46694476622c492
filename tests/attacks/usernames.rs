//! Usernames: another name that looks like yours, and another spelling of yours.

use serde_json::{Value, json};

use super::Clean;
use crate::harness::{PASSWORD, Reply, Server};

async fn register(server: &Server, username: &str) -> Reply {
    let body = json!({"username": username, "password": PASSWORD});
    server.client().post_json("/api/v1/accounts", &body).await.clean()
}

/// Whom a login under this name leads to.
async fn whom(server: &Server, username: &str) -> Option<Value> {
    let body = json!({"username": username, "password": PASSWORD, "carrier": "token"});
    let reply = server.client().post_json("/api/v1/login", &body).await.clean();
    if reply.status == 200 {
        return Some(reply.json()["account"]["id"].clone());
    }
    reply.must_be_problem(401, "wrong-credentials");
    None
}

/// Registers a victim, then asks for each name beside it: none may come to be, by API or by page.
async fn assert_nobody_beside(victim: &str, names: &[&str]) {
    let server = Server::start().await;
    let account = register(&server, victim).await.must_be(201).json()["id"].clone();
    assert_eq!(whom(&server, victim).await.as_ref(), Some(&account));
    for name in names {
        let reply = register(&server, name).await;
        let (status, code) = (reply.status.as_u16(), reply.problem_code());
        let refused = match status {
            409 => code == "username-taken",
            422 => code.starts_with("username-"),
            _ => false,
        };
        assert!(refused, "{name:?}: {}", reply.describe());
        let form = [("username", *name), ("password", PASSWORD)];
        let request = server.client().post_form("/register", &form).from_origin(&server.origin);
        let page = request.await.clean();
        assert!(matches!(page.status.as_u16(), 409 | 422), "{name:?}: {}", page.describe());
        assert!(page.set_cookie().is_none(), "{name:?}");
        assert_eq!(server.rows().account, 1, "{name:?}");
    }
}

/// Attack 33 (RFC 8265, section 3.3; UTS #39): letters of other alphabets that look like Latin
/// ones.
#[tokio::test]
async fn a_name_in_look_alike_letters_cannot_stand_beside_the_real_one() {
    assert_nobody_beside(
        "admin",
        &[
            "аdmin",
            "аԁmіn",
            "αdmin",
            "aⅾmin",
            "adm\u{131}n",
            "admin\u{301}\u{301}",
            "аdmіп",
            "𝐚𝐝𝐦𝐢𝐧",
            "𝒶𝒹𝓂𝒾𝓃",
            "ⓐⓓⓜⓘⓝ",
            "ａｄｍｉｎ",
            "ᴀᴅᴍɪɴ",
            "adrnin",
            "a\u{37e}dmin",
            "ad\u{2044}min",
        ],
    )
    .await;
    // A name wholly of another alphabet is honest by itself, and taken beside its twin.
    assert_nobody_beside("ace", &["асе", "аce", "аСе"]).await;
    assert_nobody_beside("асе", &["ace", "ACE"]).await;
    assert_nobody_beside("root", &["r00t", "rооt", "r\u{3bf}\u{3bf}t"]).await;
}

/// Attack 33: ligatures, and characters that cannot be seen or turn the line around.
#[tokio::test]
async fn a_name_with_hidden_characters_cannot_stand_beside_the_real_one() {
    assert_nobody_beside(
        "staff",
        &[
            "sta\u{FB00}",
            "st\u{200B}aff",
            "staff\u{200B}",
            "\u{200C}staff",
            "st\u{200D}aff",
            "\u{FEFF}staff",
            "staff\u{FEFF}",
            "\u{2060}staff",
            "st\u{AD}aff",
            "\u{202E}ffats",
            "staff\u{202C}",
            "\u{2066}staff\u{2069}",
            "st\u{61C}aff",
            "staff\u{FE0F}",
            "staff\u{E0061}",
            "staff\u{180E}",
            "staff\u{115F}",
            "staff\u{3164}",
            "staff\u{0}",
            "staff\u{0}x",
            "staff\u{7F}",
            "sta\u{34F}ff",
            "staff\r\n",
        ],
    )
    .await;
}

/// Attack 33: case, spaces, signs at an end, and what a browser or a database would trim.
#[tokio::test]
async fn a_name_with_trimmings_cannot_stand_beside_the_real_one() {
    assert_nobody_beside(
        "admin",
        &[
            "Admin",
            "ADMIN",
            "aDmIn",
            "admin.",
            ".admin",
            "admin..",
            "admin ",
            " admin",
            "admin\u{A0}",
            "\u{3000}admin",
            "admin\t",
            "ad min",
            "admin-",
            "_admin",
            "admin@",
            "admin@localhost",
            "admin%20",
            "admin+x",
            "admin/",
            "admin'--",
            "admin\"",
            "<admin>",
        ],
    )
    .await;
}

/// Attack 33 (RFC 8265, section 3.3.1): what is one name to the profile is one account, and what is
/// not leads nowhere, even with the right password.
#[tokio::test]
async fn another_spelling_leads_to_the_same_account_or_to_none() {
    let server = Server::start().await;
    let names = ["admin", "zoë", "łukasz", "weißbier", "σοφία", "мария", "ステーション", "דוד"];
    for name in names {
        register(&server, name).await.must_be(201);
    }
    for (name, other) in [
        ("admin", "ADMIN"),
        ("admin", "ａｄｍｉｎ"),
        ("zoë", "zoe\u{308}"),
        ("zoë", "ZOE\u{308}"),
        ("łukasz", "ŁUKASZ"),
        ("мария", "МАРИЯ"),
        ("ステーション", "ｽﾃｰｼｮﾝ"),
    ] {
        let account = whom(&server, name).await;
        assert!(account.is_some(), "{name}");
        assert_eq!(whom(&server, other).await, account, "{other:?} is {name:?}");
    }
    for other in [
        "admin ",
        " admin",
        "admin.",
        "аdmin",
        "adrnin",
        "adm\u{131}n",
        "ad\u{200B}min",
        "\u{202E}nimda",
        "admin\u{0}",
        "𝐚𝐝𝐦𝐢𝐧",
        "zoe",
        "lukasz",
        "weissbier",
        "\u{202E}דוד",
        "dwd",
    ] {
        assert_eq!(whom(&server, other).await, None, "{other:?}");
    }
}

/// Attack 33: an address as a name would be somebody's who has not been asked, and capitals do not
/// make another mailbox.
#[tokio::test]
async fn an_address_cannot_be_taken_twice_or_as_a_name() {
    let server = Server::start().await;
    let with = |username: &str, email: &str| {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        server.client().post_json("/api/v1/accounts", &body)
    };
    with("ada", "ada@example.com").await.clean().must_be(201);
    for email in ["ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.com"] {
        with("eve", email).await.clean().must_be_problem(409, "username-taken");
    }
    with("ada@example.com", "").await.clean().must_be_problem(422, "username-address");
    with("ada@example.com", "eve@example.com").await.clean().must_be(422);
    assert_eq!(whom(&server, "ada@example.com").await, None);
    assert_eq!(server.rows().account, 1);
}
