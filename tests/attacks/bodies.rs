//! Bodies: of the wrong type, compressed, doubled, too large, and never as long as promised.

use std::time::{Duration, Instant};

use doorward_server::routes;
use http::Method;
use serde_json::json;

use super::Clean;
use crate::harness::{PASSWORD, Server, report};

/// How long the refusal of a body may take, on a busy machine: far less than any waiting for more.
const QUICK: Duration = Duration::from_secs(3);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Every path that reads a body, and whether it is JSON; else it is a form.
fn readers() -> Vec<(Method, &'static str, bool)> {
    let unread = ["/logout", "/account/sessions/end-others", "/dbsc/register", "/dbsc/refresh"];
    routes::table()
        .into_iter()
        .filter(|route| matches!(route.method, Method::POST | Method::PUT))
        .filter(|route| !unread.contains(&route.path))
        // Who is no client is not read at all.
        .filter(|route| !route.path.starts_with("/ssf/"))
        .map(|route| (route.method, route.path, route.path.starts_with("/api/")))
        .collect()
}

/// Attack 75 (RFC 6749, section 3.2; RFC 9110, section 15.5.16): a body of a type that a path does
/// not read.
#[tokio::test]
async fn a_body_of_the_wrong_type_is_not_read() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let rows = server.rows();
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n\
        --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret\r\n--x--\r\n";
    for (method, path, is_json) in readers() {
        let target = path.replace("{key}", "basket");
        let (right, wrong) = if is_json { (JSON, FORM) } else { (FORM, JSON) };
        for media_type in [
            wrong,
            "multipart/form-data; boundary=x",
            "text/plain",
            "text/xml",
            "application/xml",
            "application/octet-stream",
            "application/jwt",
            "*/*",
            "/",
            "application",
            &format!("x{right}"),
            &format!("{right}x"),
            &format!("{right}+x"),
            &format!("text/plain; {right}"),
            &format!("text/plain, {right}"),
        ] {
            let request = browser.request(method.as_str(), &target).body(media_type, multipart);
            let reply = browser.send(request).await.clean();
            assert_eq!(reply.status, 415, "{path}: {media_type}: {}", reply.describe());
            if is_json {
                reply.must_be_problem(415, "unsupported-media-type");
            }
        }
        // Two types: a proxy may read the one and we the other.
        let request = browser.request(method.as_str(), &target).header("content-type", right);
        let request = request.body(wrong, "{}");
        browser.send(request).await.clean().must_be(400);
    }
    assert_eq!(server.rows(), rows);
    assert!(browser.is_signed_in().await);
    // The right type is compared without case, and its parameters mean nothing.
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = server.client().post("/api/v1/login").body(media_type, login.to_string());
        request.await.clean().must_be(200);
    }
}

/// Ten megabytes of zeros in ten kilobytes, as gzip (RFC 1952) around one block of fixed codes: a
/// zero, then "the same again 258 times" until it is enough.
fn gzip_bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    let code = |bits: &mut Vec<bool>, value: u32, length: u32| {
        bits.extend((0..length).rev().map(|bit| value >> bit & 1 == 1));
    };
    code(&mut bits, 0b0011_0000, 8);
    for _ in 0..10 * 1024 * 1024 / 258 {
        code(&mut bits, 0b1100_0101, 8);
        code(&mut bits, 0, 5);
    }
    code(&mut bits, 0, 7);
    let pack =
        |byte: &[bool]| byte.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum::<u8>();
    let deflated: Vec<u8> = bits.chunks(8).map(pack).collect();
    // Without its checksum, which comes last: the harm would be done by then.
    [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255][..], &deflated, &[0; 8]].concat()
}

/// Attack 75: a body that unpacks to a thousand times its size. Nothing is unpacked here.
#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let server = Server::start().await;
    server.member("alice").await;
    let bomb = gzip_bomb();
    assert!(bomb.len() < 64 * 1024 + 2048, "{}", bomb.len());
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    let rows = server.rows();
    for (method, path, is_json) in readers() {
        let target = path.replace("{key}", "basket");
        let media_type = if is_json { JSON } else { FORM };
        for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "compress"] {
            let bomb = &bomb[..bomb.len().min(60 * 1024)];
            let request = server.client().request(method.as_str(), &target);
            let request = request.from_origin(&server.origin).body(media_type, bomb);
            let begun = Instant::now();
            let reply = request.header("content-encoding", encoding).await.clean();
            let took = begun.elapsed();
            // A path for members says first that nobody is signed in.
            let status = reply.status.as_u16();
            assert!(matches!(status, 415 | 401 | 303), "{path}: {}", reply.describe());
            assert!(took < QUICK, "{path}: {took:?}");
        }
    }
    // Not even an honest body, if it says that it is packed.
    let request = server.client().post_json("/api/v1/login", &login);
    let packed = request.clone().header("content-encoding", "gzip").await.clean();
    packed.must_be_problem(415, "unsupported-media-type");
    assert_eq!(server.rows(), rows);
    request.await.clean().must_be(200);
}

/// Attack 75 (RFC 6749, section 3.2: a parameter stands once): which of two values counts is not
/// left to chance.
#[tokio::test]
async fn a_field_that_was_sent_twice_is_refused() {
    let server = Server::start().await;
    server.member("alice").await;
    let password = PASSWORD.replace(' ', "+");
    let login = |more: &str| {
        let body = format!("username=alice&password={password}{more}");
        server.client().post("/login").from_origin(&server.origin).body(FORM, body)
    };
    login("").await.clean().must_be(303);
    login("&return_to=/account&unknown=1").await.clean().must_be(303);
    let rows = server.rows();
    for more in [
        "&username=mallory",
        "&username=alice",
        "&username=",
        "&username",
        "&user%6eame=mallory",
        "&%75sername=mallory",
        "&password=x",
        "&return_to=/a&return_to=//evil.example",
        "&remember=on&remember=on",
        "&x=1&x=2",
        "&&=&=",
    ] {
        let reply = login(more).await.clean();
        assert_eq!(reply.status, 400, "{more}: {}", reply.describe());
        assert!(reply.set_cookie().is_none());
    }
    for body in [
        "{\"username\":\"alice\",\"username\":\"bob\",\"password\":\"x\",\"carrier\":\"token\"}",
        "{\"username\":\"alice\",\"password\":\"x\",\"carrier\":\"token\",\"carrier\":\"cookie\"}",
        "{\"username\":\"alice\",\"\\u0075sername\":\"bob\",\"password\":\"x\",\"carrier\":\"token\"}",
    ] {
        let request = server.client().post("/api/v1/login").body("application/json", body);
        request.await.clean().must_be_problem(400, "duplicate-member");
    }
    assert_eq!(server.rows(), rows);
}

/// Attack 75: a hundred megabytes are refused by their announcement; nobody waits for them.
#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_comes() {
    let server = Server::start().await;
    let host = server.origin.trim_start_matches("http://");
    let rows = server.rows();
    for (method, path, is_json) in readers() {
        let target = path.replace("{key}", "basket");
        let media_type = if is_json { JSON } else { FORM };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\norigin: {}\r\ncontent-type: {media_type}\r\n",
            server.origin
        );
        for length in ["65537", "104857600", "9223372036854775807"] {
            let begun = Instant::now();
            let request = format!("{head}content-length: {length}\r\n\r\n{{");
            let reply = server.client().raw(request).await.clean();
            assert_eq!(reply.status, 413, "{path}: {length}: {}", reply.describe());
            assert!(begun.elapsed() < QUICK, "{path}: {:?}", begun.elapsed());
        }
        // More than any body can be: for hyper that is 431.
        let request = format!("{head}content-length: 18446744073709551615\r\n\r\n{{}}");
        let status = server.client().raw(request).await.status.as_u16();
        assert!(matches!(status, 413 | 431), "{path}: {status}");
        for length in ["18446744073709551616", "1e9", "-1", "+5", "0x10", "5, 6", "5 5", ""] {
            let request = format!("{head}content-length: {length}\r\n\r\n{{}}");
            let reply = server.client().raw(request).await;
            assert_eq!(reply.status, 400, "{path}: {length:?}: {}", reply.describe());
        }
    }
    assert_eq!(server.rows(), rows);
}

/// Attack 75: a body that announces nothing and does not end, in chunks (RFC 9112, section 7.1).
#[tokio::test]
async fn a_body_in_endless_chunks_is_refused_at_its_limit() {
    let server = Server::start().await;
    server.member("alice").await;
    let host = server.origin.trim_start_matches("http://");
    let head = format!(
        "POST /api/v1/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"}).to_string();
    let chunks =
        |chunk: &str, count: usize| format!("{:x}\r\n{chunk}\r\n", chunk.len()).repeat(count);
    // The control: the same in honest chunks, down to single bytes.
    let bytes: String = login.chars().map(|c| chunks(&c.to_string(), 1)).collect();
    for body in [chunks(&login, 1), bytes] {
        server.client().raw(format!("{head}{body}0\r\n\r\n")).await.clean().must_be(200);
    }
    let rows = server.rows();
    let spaces = " ".repeat(1024);
    for (what, body) in [
        ("65 KiB in one chunk", chunks(&spaces.repeat(65), 1)),
        ("65 KiB in many", chunks(&spaces, 65)),
        ("1 MiB and no end", chunks(&spaces, 1024)),
    ] {
        let begun = Instant::now();
        let reply = server.client().raw(format!("{head}{body}")).await.clean();
        report(&format!("{what}: refused in {:?}", begun.elapsed()));
        reply.must_be_problem(413, "body-too-large");
        assert!(begun.elapsed() < QUICK);
    }
    for body in [
        "fffffffffffffffff\r\nx\r\n",
        "-1\r\nx\r\n",
        "0x5\r\nhello\r\n",
        "5;\n\rhello",
        "g\r\n",
        "\r\n\r\n",
    ] {
        let reply = server.client().raw(format!("{head}{body}")).await;
        assert_eq!(reply.status, 400, "{body:?}: {}", reply.describe());
    }
    assert_eq!(server.rows(), rows);
}

/// Attack 75: a body just at its limit is read, one byte over is not.
#[tokio::test]
async fn the_limit_of_a_body_is_64_kib() {
    let server = Server::start().await;
    server.member("alice").await;
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"}).to_string();
    let filled = |length: usize| format!("{login}{}", " ".repeat(length - login.len()));
    let send = |body: String| server.client().post("/api/v1/login").body("application/json", body);
    send(filled(64 * 1024)).await.clean().must_be(200);
    send(filled(64 * 1024 + 1)).await.clean().must_be_problem(413, "body-too-large");
}
