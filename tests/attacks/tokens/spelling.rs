//! Spelling: a second text for the same token, and one text that two readers take for two tokens.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use doorward_wire::jose::Algorithm;
use serde_json::json;

use super::{Forge, decode, encode};

/// Attack 46 (RFC 7515, section 2; RFC 4648, section 3.5): every token has one spelling.
#[tokio::test]
async fn a_token_in_another_spelling_is_refused() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        let token = forge.tokens.access.as_str();
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!() };
        let mut others = vec![
            format!("{token}="),
            format!("{token}=="),
            format!("{header}=.{claims}.{signature}"),
            format!("{header}==.{claims}==.{signature}=="),
            format!("{header}.{claims}={signature}"),
            format!("{header}..{claims}.{signature}"),
            format!("{header}.{claims}..{signature}"),
            format!(".{token}"),
            format!("{token}."),
            format!("{token}.{signature}"),
            format!("{token}.."),
            format!("{header}%2E{claims}%2E{signature}"),
            format!("{header} .{claims}.{signature}"),
            format!("{header}. {claims}.{signature}"),
            format!("{header}.{claims}.{signature}\t{signature}"),
            format!("\"{token}\""),
            format!("{token},"),
            format!("{token}, Bearer {token}"),
            format!("{token};v=1"),
            format!("{token} {token}"),
            format!("Bearer {token}"),
            token.to_uppercase(),
            token.to_lowercase(),
            json!({"protected": header, "payload": claims, "signature": signature}).to_string(),
            json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]})
                .to_string(),
            encode(token),
        ];
        others.extend((1..token.len()).step_by(97).map(|at| {
            let (one, other) = token.split_at(at);
            format!("{one}\u{e9}{other}")
        }));
        // The ordinary alphabet of base64, where it differs.
        others.push(token.replace('-', "+").replace('_', "/"));
        others.push(format!("{header}.{claims}.{}", signature.replacen(['-', '_'], "+", 1)));
        // Bits of the last letter that no byte is made of.
        for (index, part) in parts.iter().enumerate() {
            if part.len() % 4 != 0 {
                let mut altered = parts.clone();
                let other = with_stray_bits(part);
                altered[index] = &other;
                others.push(altered.join("."));
            }
        }
        others.retain(|other| other != token);
        for other in others {
            forge.refuses(&other, &format!("{algorithm}: {other}")).await;
        }
        forge.passes(token, "the one spelling").await;
    }
}

/// The same bytes to a lax reader: the last letter with its lowest bit set, which counts for
/// nothing.
fn with_stray_bits(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let at = ALPHABET.find(last).unwrap();
    assert_eq!(at & 1, 0, "the real spelling has no stray bits");
    format!("{rest}{}", &ALPHABET[at + 1..at + 2])
}

/// Attack 46 (ECDSA's second form): of (r, s) anybody can make (r, n−s), which the curve's rule
/// also accepts. It must be no second token, least of all of one that was revoked.
#[tokio::test]
async fn the_twin_of_an_es256_signature_is_refused_before_and_after_logout() {
    let forge = Forge::of(Algorithm::Es256).await;
    let (message, signature) = forge.tokens.access.rsplit_once('.').unwrap();
    let mut bytes = decode(signature);
    let s: [u8; 32] = bytes[32..].try_into().unwrap();
    bytes[32..].copy_from_slice(&order_less(&s));
    let twin = format!("{message}.{}", encode(&bytes));
    assert_ne!(twin, forge.tokens.access);
    // It is a good signature to the letter of the standard.
    let jwk = serde_json::to_value(forge.key.public_jwk().unwrap()).unwrap();
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(message.as_bytes(), &bytes).unwrap();

    forge.refuses(&twin, "the twin").await;
    forge.passes(&forge.tokens.access, "the one we signed").await;
    let client = forge.server.client();
    client.post("/api/v1/logout").bearer(&forge.tokens.access).await.must_be(204);
    forge.refuses(&forge.tokens.access, "after logout").await;
    forge.refuses(&twin, "the twin after logout").await;
}

/// The order of P-256 less `s`.
fn order_less(s: &[u8; 32]) -> [u8; 32] {
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
        0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let (mut difference, mut borrow) = ([0; 32], 0);
    for index in (0..32).rev() {
        let value = i16::from(ORDER[index]) - i16::from(s[index]) - borrow;
        borrow = i16::from(value < 0);
        difference[index] = u8::try_from(value.rem_euclid(256)).unwrap();
    }
    difference
}

/// Attack 47 (RFC 7519, section 4; RFC 8725, section 3.7): a member twice, of which one reader
/// takes the first and another the last.
#[tokio::test]
async fn a_member_that_stands_twice_is_refused() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
        let before = |object: &str, more: &str| format!("{{{more},{}", &object[1..]);
        let after = |object: &str, more: &str| format!("{},{more}}}", &object[..object.len() - 1]);
        for more in [
            "\"alg\":\"none\"",
            "\"alg\":\"HS256\"",
            "\"kid\":\"../../dev/null\"",
            "\"typ\":\"JWT\"",
            "\"\\u0061lg\":\"none\"",
            "\"x\":1,\"x\":2",
        ] {
            let (one, other) = (before(&header, more), after(&header, more));
            forge.refuses(&forge.signed(&one, &claims), &format!("header {one}")).await;
            forge.refuses(&forge.signed(&other, &claims), &format!("header {other}")).await;
        }
        let same = format!("\"alg\":\"{algorithm}\"");
        forge.refuses(&forge.signed(&after(&header, &same), &claims), "the same twice").await;
        for more in [
            "\"sub\":\"acc_00000000000000000000000000\"",
            "\"sid\":\"ses_00000000000000000000000000\"",
            "\"exp\":99999999999",
            "\"aud\":\"https://evil.example\"",
            "\"iss\":\"https://evil.example\"",
            "\"\\u0073ub\":\"acc_00000000000000000000000000\"",
            "\"x\":1,\"x\":2",
            "\"x\":{\"a\":1,\"a\":2}",
            "\"x\":[{\"a\":1,\"\\u0061\":2}]",
        ] {
            let (one, other) = (before(&claims, more), after(&claims, more));
            forge.refuses(&forge.signed(&header, &one), &format!("claims {one}")).await;
            forge.refuses(&forge.signed(&header, &other), &format!("claims {other}")).await;
        }
        // The control: a member that stands once, at either end.
        for object in [before(&claims, "\"x\":{\"a\":1,\"b\":1}"), after(&claims, "\"x\":1")] {
            forge.passes(&forge.signed(&header, &object), &object).await;
        }
    }
}

/// Attack 47 (RFC 8259, sections 7 and 8.1): bytes that only some readers take for JSON.
#[tokio::test]
async fn a_token_of_loose_json_is_refused() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let spoil = |object: &str| -> Vec<Vec<u8>> {
        let text = |text: String| text.into_bytes();
        let body = &object[..object.len() - 1];
        let utf16: Vec<u8> = object.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![
            text(format!("{body},\"x\":\"\\ud800\"}}")),
            text(format!("{body},\"x\":\"\\udc00\\ud800\"}}")),
            text(format!("{body},\"\\ud800\":1}}")),
            text(format!("\u{feff}{object}")),
            [&[0xFF, 0xFE][..], &utf16].concat(),
            utf16,
            [object.as_bytes(), b"\0"].concat(),
            text(format!("{object}{object}")),
            text(format!("{object} {{}}")),
            text(format!("{object}x")),
            text(format!("{object},")),
            text(format!("[{object}]")),
            text(format!("{body},}}")),
            text(format!("{body},\"x\":01}}")),
            text(format!("{body},\"x\":+1}}")),
            text(format!("{body},\"x\":.5}}")),
            text(format!("{body},\"x\":NaN}}")),
            text(format!("{body},\"x\":Infinity}}")),
            text(format!("{body},x:1}}")),
            text(format!("{body},'x':1}}")),
            text(format!("{body},\"x\":1}}//")),
            text(format!("/**/{object}")),
            text(format!("{body},\"x\":\"\t\"}}")),
            text(format!("{body},\"x\":\"\\x41\"}}")),
            [body.as_bytes(), b",\"x\":\"\xFF\"}"].concat(),
            [body.as_bytes(), b",\"x\":\"\xC0\xAF\"}"].concat(),
            [body.as_bytes(), b",\"x\":\"\xED\xA0\x80\"}"].concat(),
            text(format!("{body},\"x\":{}{}}}", "[".repeat(1000), "]".repeat(1000))),
            text(body.to_owned()),
            text(String::new()),
            text("null".to_owned()),
            text("\"\"".to_owned()),
        ]
    };
    for bytes in spoil(&claims) {
        let token = forge.signed_bytes(header.as_bytes(), &bytes);
        forge.refuses(&token, &format!("claims {}", String::from_utf8_lossy(&bytes))).await;
    }
    for bytes in spoil(&header) {
        let token = forge.signed_bytes(&bytes, claims.as_bytes());
        forge.refuses(&token, &format!("header {}", String::from_utf8_lossy(&bytes))).await;
    }
    // The control: space between members, and text of any language, is JSON.
    let spaced = claims.replace(',', " ,\n\t").replacen('{', "{ \"x\":\"\\ud83d\\udd11 ключ\",", 1);
    forge.passes(&forge.signed(&header, &spaced), &spaced).await;
}

/// Attack 47, and 48 in part: a token over 8 KiB is refused unread, however good it is.
#[tokio::test]
async fn a_token_over_its_limit_is_refused_however_good() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let filled = |length: usize| {
        let filler = format!("\"{}\"", "x".repeat(length));
        forge.signed(&forge.header.to_string(), &forge.claims_with("x", &filler))
    };
    // Three bytes of the claims are four letters of the token.
    let most = (8192 - filled(0).len()) / 4 * 3 + 3;
    let at_limit = (most - 6..most).rev().map(filled).find(|token| token.len() <= 8192).unwrap();
    assert!(at_limit.len() > 8188);
    forge.passes(&at_limit, "at the limit").await;
    let over = (most - 6..most + 6).map(filled).find(|token| token.len() > 8192).unwrap();
    forge.refuses(&over, "over the limit").await;
    forge.refuses(&filled(10_000), "far over the limit").await;
}
