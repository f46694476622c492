//! Claims: signed by the server's own key, so that only the claim can be the reason.

use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::{Forge, with, without};

/// What no time can be, as JSON.
const NO_TIMES: [&str; 20] = [
    "-1",
    "-0.5",
    "1e400",
    "-1e400",
    "1e3",
    "1.5",
    "\"{now}\"",
    "\"\"",
    "\"never\"",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "253402300800",
    "null",
    "true",
    "[]",
    "[1]",
    "{}",
    "{now}.0",
];

/// Attack 43 (RFC 7519, section 4.1.4; CVE-2026-25537: claims of the wrong type were skipped): the
/// end of a token.
#[tokio::test]
async fn a_token_past_its_end_is_refused_and_no_trick_gives_it_another() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let now = forge.server.clock.time().0;
    for (exp, good) in [
        (now + 300, true),
        (now + 1, true),
        (now, true),
        (now - 29, true),
        (now - 30, false),
        (now - 31, false),
        (now - 3600, false),
        (0, false),
        (now + 3600 * 24 * 365, true),
    ] {
        let token = forge.with_claims(&with(&forge.claims, "exp", json!(exp)));
        if good {
            forge.passes(&token, &format!("exp {exp}")).await;
        } else {
            forge.refuses(&token, &format!("exp {exp}")).await;
        }
    }
    for no_time in NO_TIMES {
        let json = no_time.replace("{now}", &(now + 300).to_string());
        let token = forge.signed(&forge.header.to_string(), &forge.claims_with("exp", &json));
        forge.refuses(&token, &format!("exp {json}")).await;
    }
    forge.refuses(&forge.with_claims(&without(&forge.claims, "exp")), "no exp").await;

    // The real token, when its own time has come: five minutes and the leeway.
    forge.server.clock.advance_seconds(329);
    forge.passes(&forge.tokens.access, "a second before its end").await;
    forge.server.clock.advance_seconds(1);
    forge.refuses(&forge.tokens.access, "at its end").await;
}

/// Attack 43 (RFC 7519, sections 4.1.5 and 4.1.6): a token from the future. Ten seconds are a clock
/// that is a little ahead; more than a minute is no clock.
#[tokio::test]
async fn a_token_from_the_future_is_refused() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let now = forge.server.clock.time().0;
    for name in ["iat", "nbf"] {
        for (ahead, good) in
            [(0, true), (10, true), (30, true), (31, false), (61, false), (86_400, false)]
        {
            let claims = with(&forge.claims, name, json!(now + ahead));
            let claims = with(&claims, "exp", json!(now + ahead + 300));
            let token = forge.with_claims(&claims);
            if good {
                forge.passes(&token, &format!("{name} +{ahead}")).await;
            } else {
                forge.refuses(&token, &format!("{name} +{ahead}")).await;
            }
        }
        for no_time in NO_TIMES {
            let json = no_time.replace("{now}", &now.to_string());
            let token = forge.signed(&forge.header.to_string(), &forge.claims_with(name, &json));
            forge.refuses(&token, &format!("{name} {json}")).await;
        }
    }
    let past = with(&forge.claims, "nbf", json!(now - 10));
    forge.passes(&forge.with_claims(&past), "nbf past").await;
    forge.refuses(&forge.with_claims(&without(&forge.claims, "iat")), "no iat").await;
    let auth_time = with(&forge.claims, "auth_time", json!("now"));
    forge.refuses(&forge.with_claims(&auth_time), "auth_time").await;
}

/// Attack 43 (RFC 9068, section 4; RFC 8725, section 3.9): a token for somebody else.
#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let ours = forge.server.origin.clone();
    for good in [json!(ours), json!([ours]), json!([super::SHOP, ours])] {
        let token = forge.with_claims(&with(&forge.claims, "aud", good.clone()));
        forge.passes(&token, &format!("aud {good}")).await;
    }
    for evil in [
        json!(super::SHOP),
        json!("https://evil.example"),
        json!([super::SHOP]),
        json!([]),
        json!([[ours]]),
        json!([ours, 7]),
        json!([ours, null]),
        json!({"0": ours}),
        json!(null),
        json!(true),
        json!(0),
        json!(""),
        json!("*"),
        json!(format!("{ours}/")),
        json!(format!("{ours} ")),
        json!(format!("{ours}\u{0}")),
        json!(format!("{ours} {}", super::SHOP)),
        json!(ours.to_uppercase()),
        json!(ours.replace("http", "https")),
        json!(ours.replace("localhost", "127.0.0.1")),
        json!(ours.trim_start_matches("http://")),
        json!(ours[..ours.len() - 1]),
    ] {
        let token = forge.with_claims(&with(&forge.claims, "aud", evil.clone()));
        forge.refuses(&token, &format!("aud {evil}")).await;
    }
    forge.refuses(&forge.with_claims(&without(&forge.claims, "aud")), "no aud").await;
}

/// Attack 43 (RFC 8725, section 3.8): a token of somebody else, who looks like us.
#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let ours = forge.server.origin.clone();
    for evil in [
        json!("https://evil.example"),
        json!(format!("{ours}/")),
        json!(format!("{ours}#")),
        json!(format!("{ours}?")),
        json!(format!(" {ours}")),
        json!(ours.to_uppercase()),
        json!(ours.replace("localhost", "LOCALHOST")),
        json!(ours.replace("localhost", "localhost.")),
        json!(ours.replace("http://", "http://as@")),
        json!(format!("{ours}@evil.example")),
        json!(format!("{ours}.evil.example")),
        json!(ours.replace("http://", "https://")),
        json!(ours.replace("http://", "//")),
        json!(format!("{ours}\u{0}")),
        json!(ours.replace('l', "\u{217c}")),
        json!([ours]),
        json!({"iss": ours}),
        json!(null),
        json!(""),
    ] {
        let token = forge.with_claims(&with(&forge.claims, "iss", evil.clone()));
        forge.refuses(&token, &format!("iss {evil}")).await;
    }
    forge.refuses(&forge.with_claims(&without(&forge.claims, "iss")), "no iss").await;
}

/// Attack 43 (RFC 9068, section 2.2): a session and an account that do not belong together, or do
/// not count.
#[tokio::test]
async fn a_token_counts_only_for_its_own_living_session() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let server = &forge.server;
    let bob = server.member("bob").await;
    let bobs = server.tokens(&bob).await;
    let anonymous = server.browser();
    anonymous.post("/api/v1/session").await.must_be(201);
    let ended = server.tokens(&forge.alice).await;
    server.client().post("/api/v1/logout").bearer(&ended.access).await.must_be(204);

    let refuse = async |name: &str, value: Value| {
        let token = forge.with_claims(&with(&forge.claims, name, value.clone()));
        forge.refuses(&token, &format!("{name} {value}")).await;
    };
    refuse("sub", json!(bob.id)).await;
    refuse("sub", json!("acc_00000000000000000000000000")).await;
    refuse("sid", json!(bobs.sid)).await;
    refuse("sid", json!(anonymous.sid().await)).await;
    refuse("sid", json!(ended.sid)).await;
    refuse("sid", json!("ses_00000000000000000000000000")).await;
    for name in ["sub", "sid", "jti", "client_id", "scope", "acr", "amr", "auth_time"] {
        for wrong in [json!(null), json!({}), json!([[]]), json!(true), json!(1.5)] {
            refuse(name, wrong).await;
        }
        let token = forge.with_claims(&without(&forge.claims, name));
        forge.refuses(&token, &format!("no {name}")).await;
    }
    for name in ["sub", "sid", "jti"] {
        let real = forge.claims[name].as_str().unwrap();
        for wrong in
            [real.to_uppercase(), format!("{real} "), real[4..].to_owned(), format!("{real}\u{0}")]
        {
            refuse(name, json!(wrong)).await;
        }
    }
    // A claim that we do not know is no reason to refuse (RFC 7519, section 4).
    let token = forge.with_claims(&with(&forge.claims, "favourite_tea", json!("oolong")));
    forge.passes(&token, "an unknown claim").await;
    // And the session decides in the end.
    server.client().post("/api/v1/logout").bearer(&forge.tokens.access).await.must_be(204);
    forge.refuses(&forge.tokens.access, "after logout").await;
    forge.refuses(&forge.with_claims(&forge.claims), "signed anew after logout").await;
}

/// Attack 43 (RFC 9449, section 7.1; Rauthy 0.35 took bound tokens as plain ones): a token that is
/// bound to a key, shown without the key.
#[tokio::test]
async fn a_bound_token_is_not_a_bearer_token() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    for cnf in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"jkt": ""}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({}),
        json!(null),
        json!("none"),
        json!([]),
    ] {
        let token = forge.with_claims(&with(&forge.claims, "cnf", cnf.clone()));
        forge.refuses(&token, &format!("cnf {cnf}")).await;
        let client = forge.server.client();
        let request =
            client.get("/api/v1/session").header("authorization", format!("DPoP {token}"));
        assert_eq!(request.await.status, 401, "without a proof");
    }
}

/// Attack 43: a scope that the token does not have is not had by writing it in another way.
/// (Nothing of ours asks for one yet but the claim must be text.)
#[tokio::test]
async fn a_scope_is_text_and_nothing_else() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    for wrong in [json!(["doorward.admin"]), json!({"doorward.admin": true}), json!(7)] {
        let token = forge.with_claims(&with(&forge.claims, "scope", wrong.clone()));
        forge.refuses(&token, &format!("scope {wrong}")).await;
    }
    // A member who asks for an administrator's scope does not get it.
    let asked = json!({"scope": "profile doorward.admin doorward.everything"});
    let tokens = forge.server.tokens_with(&forge.alice, asked).await;
    assert_eq!(tokens.body["scope"], "profile");
    let (_, claims) = super::taken_apart(&tokens.access);
    assert_eq!(claims["scope"], "profile");
    assert!(claims.get("roles").is_none());
}
