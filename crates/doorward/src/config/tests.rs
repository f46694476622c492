use super::*;

#[track_caller]
fn refused(text: &str) -> String {
    let error = toml::from_str::<Config>(text).err().map_or_else(
        || toml::from_str::<Config>(text).unwrap().settings(7117).unwrap_err(),
        |error| fault::in_file(&error, Path::new("doorward.toml"), text),
    );
    format!("{error:#}")
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_known_one() {
    let told = refused("[server]\nlisten = \"127.0.0.1:1\"\n\n[session]\nidel = \"1h\"\n");
    assert_eq!(told, "doorward.toml:5: unknown field `idel`\nTry: idle");
}

#[test]
fn nothing_needs_to_be_set() {
    let settings = Config::default().settings(7117).unwrap();
    assert_eq!(settings.site.issuer(), "http://localhost:7117");
    assert!(settings.registration_open);
    assert_eq!(settings.lifetimes, Lifetimes::default());
}

#[test]
fn a_url_makes_it_production_and_closes_registration() {
    let text = "[server]\nurl = \"https://id.example.com/\"\ntrusted_proxies = [\"127.0.0.1/32\"]";
    let settings = toml::from_str::<Config>(text).unwrap().settings(7117).unwrap();
    assert_eq!(settings.site.issuer(), "https://id.example.com");
    assert!(!settings.registration_open);
}

#[test]
fn a_url_that_browsers_would_spell_otherwise_is_refused() {
    for url in [
        "http://id.example.com",
        "https://",
        "https://ID.example.com",
        "https://id.example.com/path",
        "https://id.example.com:443",
        "https://user@id.example.com",
        "id.example.com",
    ] {
        let text = format!("[server]\nurl = \"{url}\"\ntrusted_proxies = [\"127.0.0.1/32\"]");
        assert!(refused(&text).contains("https origin"), "{url}");
    }
    assert!(refused("[server]\nurl = \"https://id.example.com\"").contains("no proxy is trusted"));
}

#[test]
fn limits_out_of_range_are_refused() {
    for text in [
        "[session]\nidle = \"59s\"",
        "[session]\nremembered_absolute = \"401d\"",
        "[password]\nlength_min = 7",
        "[hash]\nmemory_kib = 8",
        "[token]\nalgorithm = \"none\"",
    ] {
        assert!(!refused(text).is_empty(), "{text}");
    }
}

#[test]
fn sessions_are_bound_for_five_minutes_to_an_hour_or_not_at_all() {
    let policy = |value: &str| {
        let text = format!("[session]\nbound = \"{value}\"");
        toml::from_str::<Config>(&text).map(|config| config.settings(7117).unwrap().binding)
    };
    assert_eq!(Config::default().settings(7117).unwrap().binding, Policy::default());
    for (value, seconds) in [("5m", 300), ("10m", 600), ("1h", 3600)] {
        let expected = Policy { offered: true, life: Duration::from_secs(seconds) };
        assert_eq!(policy(value).unwrap(), expected);
    }
    assert_eq!(policy("off").unwrap(), Policy { offered: false, ..Policy::default() });
    for value in ["299s", "61m", "0s", "", "on", "Off"] {
        let error = policy(value).unwrap_err();
        assert!(error.message().contains("or `off`"), "{value}: {error}");
    }
}

#[test]
fn a_site_that_says_nonsense_is_refused() {
    let production =
        "[server]\nurl = \"https://id.example.com\"\ntrusted_proxies = [\"10.0.0.1/32\"]\n";
    let with = |text: &str| format!("{production}{text}");
    for (text, told) in [
        ("[forward_auth]\ndomain = \"example.net\"", "id.example.com is not in"),
        ("[forward_auth]\ndomain = \"d.example.com\"", "id.example.com is not in"),
        ("[forward_auth]\ndomain = \"com\"", "is not in"),
        ("[[site]]\norigin = \"http://id.example.com\"", "plain HTTP"),
        (
            "[[site]]\norigin = \"https://id.example.com\"\nallow = \"anybody\"\nlevel = \"aal2\"",
            "of members only",
        ),
        ("[[site]]\norigin = \"https://id.example.com\"\nroles = [\"king\"]", "no role"),
        (
            "[[site]]\norigin = \"https://id.example.com\"\n[[site.rule]]\npath = \"/a/*\"",
            "written plainly",
        ),
        (
            "[[site]]\norigin = \"https://id.example.com\"\n[[site.rule]]\npath = \"/\"\nmethods = [\"get\"]",
            "no method",
        ),
        (
            "[[site]]\norigin = \"https://id.example.com\"\n[[site]]\norigin = \"https://ID.example.com:443\"",
            "twice",
        ),
    ] {
        let said = refused(&with(text));
        assert!(said.contains(told), "{text}: {said}");
    }
    let good = "[forward_auth]\ndomain = \"example.com\"\n[[site]]\norigin = \"https://*.example.com\"\n\
                [[site.rule]]\npath = \"/admin\"\nroles = [\"administrator\"]\nproved_within = \"15m\"";
    let settings = toml::from_str::<Config>(&with(good)).unwrap().settings(1).unwrap();
    assert_eq!(settings.sites.configured().iter().count(), 1);
}

#[test]
fn a_password_in_an_address_is_noticed() {
    for told in ["postgres://me:secret@host/db", "postgres://host/db?user=me&password=secret"] {
        assert!(tells_a_password(told), "{told}");
    }
    for quiet in ["postgres://me@host:5432/db", "postgres:///db", "sqlite:/a:b@c", "sqlite:x"] {
        assert!(!tells_a_password(quiet), "{quiet}");
    }
}
