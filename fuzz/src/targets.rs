//! What must hold for any bytes at all. Run by `cargo fuzz`, and over the seeds and changed copies of
//! them with every test run.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use doorward_wire::cookie::explain::{Request, SetCookie};
use doorward_wire::cookie::{Carried, CookieForm, PassForm, PassKey, PresentedPass};
use doorward_wire::dbsc::{PresentedTicket, Registration};
use doorward_wire::dpop::{Proof, Target};
use doorward_wire::jose::{Algorithm, Compact, Jwk, JwkSet, KeySet, SigningKey, VerifyingKey};
use doorward_wire::revocation::Bulletin;
use doorward_wire::token::{
    self, AccessClaims, AssertionClaims, Audiences, Expectation, Explanation, Shown, Unverified,
    VerifiedClientToken,
};
use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime, json};

const NOW: UnixTime = UnixTime(1_700_000_000);
const ISSUER: &str = "https://id.example";

/// The key that the good token is signed with. Everybody may know it: it signs nothing else.
fn key() -> SigningKey {
    SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap()
}

/// The one token that may pass: HMAC has one signature for a text.
pub(crate) fn good_token() -> String {
    let claims = AccessClaims {
        iss: ISSUER.into(),
        sub: AccountId(1),
        aud: Audiences::one("https://api.example"),
        exp: UnixTime(NOW.0 + 300),
        iat: NOW,
        nbf: None,
        jti: TokenId(1),
        client_id: "shop".into(),
        scope: "orders".into(),
        sid: SessionId(1),
        auth_time: NOW,
        acr: "aal1".into(),
        amr: vec!["pwd".into()],
        groups: vec![],
        roles: vec![],
        cnf: None,
        status: None,
    };
    token::sign(&claims, &key()).unwrap()
}

/// Tokens: nothing passes but the one that was signed, to the letter.
pub(crate) fn jws(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = KeySet::of([key().verifying_key()]).unwrap();
    let algorithms = [Algorithm::Hs256];
    for shown in [Shown::Bearer, Shown::AskedAbout, Shown::WithProof { jkt: "x" }] {
        let expected = Expectation {
            issuer: ISSUER,
            audience: "https://api.example",
            algorithms: &algorithms,
            shown,
        };
        if token::verify(text, &keys, &expected, NOW).is_ok() {
            assert_eq!(text, good_token(), "another text passes");
            assert!(
                !matches!(shown, Shown::WithProof { .. }),
                "a plain token passes as a bound one"
            );
        }
        assert!(VerifiedClientToken::verify(text, &keys, &expected, NOW).is_err());
        let explained = Explanation::of(text, &keys, &expected, NOW);
        drop(explained);
    }
    assert!(
        AssertionClaims::verify(text, &keys, (ISSUER, "https://api.example"), &algorithms, NOW)
            .is_err()
    );
    assert!(Bulletin::verify(text, &keys, ISSUER, &algorithms).is_err());
    drop(Unverified::of(text));
    drop(Registration::read(text));
    if let Ok(token) = Compact::parse(text) {
        // Three parts, each in its one spelling.
        assert_eq!(text.split('.').count(), 3);
        assert!(text.len() <= doorward_wire::jose::COMPACT_BYTES_MAX);
        let verified = token.verify(&key().verifying_key()).is_ok();
        assert!(!verified || text == good_token(), "another signature passes");
    }
}

/// Keys: what is read is written again as the same key, and never with a private part.
pub(crate) fn jwk(data: &[u8]) {
    if let Ok(read) = json::strict::<Jwk>(data) {
        let written = serde_json::to_vec(&read).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&written).unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(object.get(private).is_none(), "{private} is written");
        }
        let again = json::strict::<Jwk>(&written).unwrap();
        assert_eq!(read.thumbprint(), again.thumbprint());
        if let Ok(key) = VerifyingKey::from_jwk(&read) {
            assert!(Algorithm::ALL.contains(&key.algorithm()) && !key.algorithm().shares_secret());
            assert!(key.verify(b"nobody signed this", &[0; 64]).is_err());
        }
    }
    if let Ok(set) = json::strict::<JwkSet>(data) {
        drop(KeySet::from_jwks(&set));
    }
}

/// Proofs of a key: one that is read is known by its key and its name, and is for one request.
pub(crate) fn dpop(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(proof) = Proof::read(text) else { return };
    assert_eq!(proof.digest(), Proof::read(text).unwrap().digest());
    let target = |method, path| Target { method, origin: ISSUER, path };
    let is_for = |target: Target<'_>| proof.check(&target, None, proof.iat()).is_ok();
    let methods = ["GET", "POST"].map(|method| is_for(target(method, "/oauth/token")));
    assert!(methods != [true, true], "one proof for two methods");
    let paths = ["/a", "/b"].map(|path| is_for(target("GET", path)));
    assert!(paths != [true, true], "one proof for two paths");
    assert!(proof.check(&target("GET", "/"), Some("no.such.token"), UnixTime(0)).is_err());
}

/// `Cookie` fields, one a line: a secret is read only if there is one cookie of the name.
pub(crate) fn cookie_header(data: &[u8]) {
    let fields = || data.split(|byte| *byte == b'\n');
    for form in [CookieForm::Production, CookieForm::Development] {
        let begin = format!("{}=", form.name());
        let count = fields()
            .flat_map(|field| field.split(|byte| *byte == b';'))
            .map(|pair| pair.strip_prefix(b" ").unwrap_or(pair))
            .filter(|pair| pair.starts_with(begin.as_bytes()))
            .count();
        match form.read(fields()) {
            Carried::Nothing => assert_eq!(count, 0),
            Carried::Garbage | Carried::Secret(_) => assert_eq!(count, 1),
            Carried::Ambiguous => assert!(count > 1),
        }
    }
    drop(PresentedTicket::read(fields()));
    let key = PassKey::from_secret(&[7; 32]);
    for form in
        [PassForm::Site(ISSUER), PassForm::Domain("id.example"), PassForm::Development(ISSUER)]
    {
        if let Some(pass) = PresentedPass::read(form, fields()) {
            assert!(key.read(form, &pass).is_none(), "a pass that was not made");
        }
    }
}

/// `Set-Cookie` lines: what is kept is within the browser's own limits.
pub(crate) fn set_cookie(data: &[u8]) {
    let login = Request::visit("https://id.example.com/login".parse().unwrap());
    let line = SetCookie::parse(data);
    let received = line.keep(&login, NOW);
    if let Some(kept) = received.kept {
        assert!(kept.pair().len() <= 4097, "a cookie that is too large is kept");
        assert!(!kept.pair().contains(&b';') && !kept.pair().contains(&0));
    } else {
        assert!(!received.findings.is_empty(), "dropped, and nobody says why");
    }
}

/// JSON: whatever our reader takes, another takes as the same.
pub(crate) fn json(data: &[u8]) {
    let Ok(ours) = json::strict::<serde_json::Value>(data) else { return };
    let theirs: serde_json::Value = serde_json::from_slice(data).unwrap();
    assert_eq!(ours, theirs);
}
