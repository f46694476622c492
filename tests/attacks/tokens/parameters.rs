//! Header parameters: a key that the token brings itself, a name that leads elsewhere, a promise
//! that the verifier does not keep.

use std::net::TcpListener;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::{Forge, encode, hmac_signed, taken_apart, with, without};

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// An attacker's own key, and what it would put in a header for it.
struct Own {
    sign: Sign,
    alg: &'static str,
    jwk: Value,
}

fn own_keys() -> [Own; 2] {
    let random = SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let ed = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let x = encode(ed.public_key());
    let point = ec.public_key().as_ref()[1..].to_vec();
    let (ex, ey) = (encode(&point[..32]), encode(&point[32..]));
    [
        Own {
            sign: Box::new(move |message| ed.sign(message).as_ref().to_vec()),
            alg: "EdDSA",
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": x}),
        },
        Own {
            sign: Box::new(move |message| ec.sign(&random, message).unwrap().as_ref().to_vec()),
            alg: "ES256",
            jwk: json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": ex, "y": ey}),
        },
    ]
}

/// Attack 42 (RFC 8725, section 3.10; ASVS 5.0, 9.1.3): a key that the token brings along, or an
/// address to fetch it from. The listener at that address hears nothing.
#[tokio::test]
async fn a_key_that_a_token_brings_is_never_used_nor_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let forge = Forge::of(algorithm).await;
        for own in own_keys() {
            let named = with(&own.jwk, "kid", forge.header["kid"].clone());
            let mut private = named.clone();
            private["d"] = json!(encode([7; 32]));
            let injected = [
                json!({"jwk": own.jwk}),
                json!({"jwk": named}),
                json!({"jwk": private}),
                json!({"jwk": {"kty": "oct", "k": encode("secret")}}),
                json!({"jwk": null}),
                json!({"jku": format!("http://{address}/jwks.json")}),
                json!({"jku": format!("http://localhost:{port}/jwks.json")}),
                json!({"jku": format!("{}@{address}/jwks.json", forge.server.origin)}),
                json!({"jku": "file:///etc/passwd"}),
                json!({"jku": ""}),
                json!({"x5u": format!("http://{address}/cert.pem")}),
                json!({"x5c": [encode([0x30; 64])]}),
                json!({"x5c": []}),
                json!({"x5t": encode([1; 20])}),
                json!({"x5t#S256": encode([1; 32])}),
                json!({"jku": format!("http://{address}/"), "jwk": named, "x5u": "http://[::1]/"}),
            ];
            for extra in injected {
                for base in [
                    forge.header_with("alg", json!(own.alg)),
                    json!({"alg": own.alg, "typ": "at+jwt"}),
                    json!({"alg": own.alg, "typ": "at+jwt", "kid": format!("http://{address}/")}),
                ] {
                    let mut header = base;
                    header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                    let message = format!(
                        "{}.{}",
                        encode(header.to_string()),
                        encode(forge.claims.to_string())
                    );
                    let signature = (own.sign)(message.as_bytes());
                    let token = format!("{message}.{}", encode(signature));
                    forge.refuses(&token, &format!("by a key of one's own: {header}")).await;
                }
                // Refused, and not only ignored: it is not a token of ours, whoever signed it.
                let mut header = forge.header.clone();
                header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                forge.refuses(&forge.with_header(&header), &format!("by our key: {header}")).await;
            }
        }
        // A parameter that nobody has defined means nothing (RFC 7515, section 4).
        let header = forge.header_with("greeting", json!(format!("http://{address}/")));
        forge.passes(&forge.with_header(&header), "an unknown parameter").await;
    }
    let heard = listener.accept();
    assert!(heard.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    // The control: it would have been heard.
    let _caller = std::net::TcpStream::connect(address).unwrap();
    crate::harness::eventually("a connection", || async { listener.accept().ok() }).await;
}

/// Attack 42 (RFC 8725, section 3.10): a `kid` is compared, and nothing else is ever made of it.
#[tokio::test]
async fn a_key_s_name_is_only_a_name() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let audience = json!({"audience": super::SHOP, "scope": "orders"});
    let theirs = forge.server.tokens_with(&forge.alice, audience).await;
    let kid = forge.header["kid"].as_str().unwrap();
    let names = [
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("C:\\Windows\\win.ini"),
        json!("' OR '1'='1"),
        json!("x' UNION SELECT 'secret' --"),
        json!("key_'; DROP TABLE signing_key; --"),
        json!("| sleep 10 |"),
        json!("${jndi:ldap://127.0.0.1/a}"),
        json!("{{7*7}}"),
        json!("\u{0}"),
        json!(format!("{kid}\u{0}")),
        json!(format!("{kid} ")),
        json!(format!(" {kid}")),
        json!(kid.to_uppercase()),
        json!(&kid[4..]),
        json!("key_00000000000000000000000000"),
        json!(taken_apart(&theirs.access).0["kid"]),
        json!(""),
        json!(null),
        json!(0),
        json!([kid]),
        json!({"kid": kid}),
        json!("k".repeat(5 * 1024)),
        json!("k".repeat(10 * 1024)),
    ];
    for name in names {
        let header = forge.header_with("kid", name);
        let short: String = header.to_string().chars().take(120).collect();
        forge.refuses(&forge.with_header(&header), &short).await;
        // The secret that such a name would lead to: an empty file, or a chosen row.
        for secret in [&b""[..], b"\0", b"secret", b"1"] {
            let header = with(&header, "alg", json!("HS256"));
            forge.refuses(&hmac_signed(secret, &header, &forge.claims), &short).await;
        }
    }
    forge.refuses(&forge.with_header(&without(&forge.header, "kid")), "no kid").await;
    forge.passes(&forge.tokens.access, "the right name, and the keys are still there").await;
    assert_eq!(forge.server.rows().signing_key, 2);
}

/// Attack 42 (RFC 7515, section 4.1.11; RFC 7797; CVE of libraries that read `crit` and ignored
/// it): extensions that would change what is signed or how it is read.
#[tokio::test]
async fn a_critical_or_transforming_parameter_is_refused() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        for extra in [
            json!({"crit": ["x"], "x": 1}),
            json!({"crit": ["exp"], "exp": 0}),
            json!({"crit": ["alg"]}),
            json!({"crit": []}),
            json!({"crit": null}),
            json!({"crit": "b64"}),
            json!({"crit": ["b64"], "b64": true}),
            json!({"crit": ["b64"], "b64": false}),
            json!({"b64": false}),
            json!({"b64": true}),
            json!({"b64": "false"}),
            json!({"zip": "DEF"}),
            json!({"zip": null}),
        ] {
            let mut header = forge.header.clone();
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            forge.refuses(&forge.with_header(&header), &format!("{algorithm}: {extra}")).await;
        }
        // RFC 7797: the payload as it is, unencoded.
        let header = with(&with(&forge.header, "b64", json!(false)), "crit", json!(["b64"]));
        let message = format!("{}.{}", encode(header.to_string()), forge.claims);
        let signature = encode(forge.key.sign(message.as_bytes()).unwrap());
        forge.refuses(&format!("{message}.{signature}"), "unencoded").await;
        forge.refuses(&format!("{}..{signature}", encode(header.to_string())), "detached").await;
    }
}

/// Attack 44 (RFC 8725, section 3.11; RFC 9068, section 2.2): another kind of token than an access
/// token, though we signed it ourselves.
#[tokio::test]
async fn a_token_of_another_type_is_not_an_access_token() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        for typ in [
            json!("JWT"),
            json!("jwt"),
            json!("id+jwt"),
            json!("logout+jwt"),
            json!("dpop+jwt"),
            json!("client-authentication+jwt"),
            json!("oauth-authz-req+jwt"),
            json!("secevent+jwt"),
            json!("statuslist+jwt"),
            json!("token-introspection+jwt"),
            json!("rt+jwt"),
            json!("at+jwt "),
            json!("at+jwt;v=1"),
            json!("at+jwt\u{0}"),
            json!("xat+jwt"),
            json!("text/at+jwt"),
            json!("application/application/at+jwt"),
            json!(""),
            json!(null),
            json!(1),
            json!(["at+jwt"]),
        ] {
            let header = forge.header_with("typ", typ);
            forge.refuses(&forge.with_header(&header), &format!("{header}")).await;
        }
        forge.refuses(&forge.with_header(&without(&forge.header, "typ")), "no typ").await;
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            let header = forge.header_with("typ", json!(typ));
            forge.passes(&forge.with_header(&header), typ).await;
        }
    }
}
