//! Keys from each kind of source, and a canary that no output may hold.

use super::*;

const CANARY: &str = "CANARYsecretCANARY";

fn exposed(keys: &Keys) -> (&str, &str) {
    (keys.access_key.expose(), keys.secret_key.expose())
}

fn both(form: KeyForm) -> KeySource {
    KeySource::Named {
        access_key: form.clone(),
        secret_key: form,
    }
}

fn error(source: &KeySource, environment: &Environment) -> String {
    let error = source.read(environment).unwrap_err();
    let (shown, debug) = (error.to_string(), format!("{error:?}"));
    assert!(
        !shown.contains("CANARY") && !debug.contains("CANARY"),
        "{shown} {debug}"
    );
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    shown
}

#[test]
fn a_key_is_read_from_the_place_that_the_config_names() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret-key");
    std::fs::write(&file, "  from-file\r\n").unwrap();
    let environment = Environment::from_iter([
        ("CREDENTIALS_DIRECTORY", directory.path().as_os_str()),
        ("MY_KEY", OsStr::new("from-env\n")),
    ]);
    for (access_key, secret_key, read) in [
        (
            KeyForm::Env("MY_KEY".into()),
            KeyForm::File(file),
            ("from-env", "from-file"),
        ),
        (
            KeyForm::Credential("secret-key".into()),
            KeyForm::Env("MY_KEY".into()),
            ("from-file", "from-env"),
        ),
    ] {
        let keys = KeySource::Named {
            access_key,
            secret_key,
        }
        .read(&environment)
        .unwrap();
        assert_eq!(exposed(&keys), read);
    }
}

#[test]
fn without_a_source_keys_are_where_the_vendor_s_tools_look() {
    let home = tempfile::tempdir().unwrap();
    let with = |more: &[(&str, &str)]| -> Environment {
        let home = ("HOME", home.path().to_str().unwrap());
        more.iter().copied().chain([home]).collect()
    };
    let set = [("NCLOUD_ACCESS_KEY", "ea"), ("NCLOUD_SECRET_KEY", "es")];

    let missing = error(&KeySource::Ambient, &with(&[]));
    assert!(
        missing.contains("there is no ") && missing.contains(".ncloud/configure"),
        "{missing}"
    );
    assert!(error(&KeySource::Ambient, &Environment::default()).contains("without HOME"));

    std::fs::create_dir(home.path().join(".ncloud")).unwrap();
    let configure = home.path().join(".ncloud/configure");
    std::fs::write(&configure, "[DEFAULT]\r\nncloud_access_key_id = fa\r\n").unwrap();
    let half = error(&KeySource::Ambient, &with(&[]));
    assert!(
        half.contains("has no ncloud_secret_access_key in [DEFAULT]"),
        "{half}"
    );

    let whole = "[DEFAULT]\nncloud_access_key_id = fa\nncloud_secret_access_key = fs\n";
    std::fs::write(&configure, whole).unwrap();
    let read = |environment| KeySource::Ambient.read(&environment).unwrap();
    assert_eq!(exposed(&read(with(&[]))), ("fa", "fs"));
    assert_eq!(exposed(&read(with(&set))), ("ea", "es"));
    let empty = [("NCLOUD_ACCESS_KEY", ""), ("NCLOUD_SECRET_KEY", "")];
    assert_eq!(exposed(&read(with(&empty))), ("fa", "fs"));

    // Half of a pair from here and half from there would sign for two accounts at once.
    let one = error(&KeySource::Ambient, &with(&set[..1]));
    assert!(
        one.starts_with("the environment has no NCLOUD_SECRET_KEY"),
        "{one}"
    );
}

/// Guarantee: Suspicious
#[test]
fn what_is_no_key_is_refused_and_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    let none = Environment::default();
    for (content, wrong) in [
        (Vec::new(), "is empty"),
        (b" \n\n".to_vec(), "is empty"),
        (
            format!("{CANARY}\n{CANARY}").into_bytes(),
            "holds a space, a line break",
        ),
        (format!("{CANARY} {CANARY}").into_bytes(), "holds a space"),
        (format!("{CANARY}\u{1b}[0m").into_bytes(), "control"),
        (format!("{CANARY}é").into_bytes(), "non-ASCII"),
        ([CANARY.as_bytes(), b"\xff"].concat(), "non-ASCII"),
        (CANARY.repeat(1000).into_bytes(), "is too large"),
    ] {
        std::fs::write(&file, &content).unwrap();
        let shown = error(&both(KeyForm::File(file.clone())), &none);
        assert!(shown.contains(wrong) && shown.contains("/key "), "{shown}");
    }
    let environment = Environment::from_iter([("K", format!("{CANARY}\n{CANARY}"))]);
    let shown = error(&both(KeyForm::Env("K".into())), &environment);
    assert!(shown.starts_with("the environment's K holds"), "{shown}");
}

#[test]
fn a_missing_source_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let none = Environment::default();
    let shown = error(&both(KeyForm::Credential("api".into())), &none);
    assert!(
        shown.contains("LoadCredential=api:/PATH") && shown.contains("{ file = "),
        "{shown}"
    );
    let shown = error(
        &both(KeyForm::File(directory.path().join("no\u{1b}ne"))),
        &none,
    );
    assert!(shown.starts_with("can't read "), "{shown}");
    let shown = error(&both(KeyForm::File(directory.path().into())), &none);
    assert!(shown.starts_with("can't read "), "{shown}");
}

/// Guarantee: Suspicious
#[test]
fn nothing_that_holds_a_key_can_be_printed() {
    let environment =
        Environment::from_iter([("NCLOUD_ACCESS_KEY", CANARY), ("NCLOUD_SECRET_KEY", CANARY)]);
    let keys = KeySource::Ambient.read(&environment).unwrap();
    assert_eq!(exposed(&keys), (CANARY, CANARY));
    assert_eq!(
        format!("{keys:?} {environment:?}"),
        "Keys { access_key: Secret(..), secret_key: Secret(..) } Environment(..)"
    );
}
