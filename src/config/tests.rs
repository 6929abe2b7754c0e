//! The contract's example, values and their ranges, and text that is no config.

mod include;
mod mistakes;

use crate::domain::span::Millis;
use proptest::prelude::*;

use super::*;
use crate::domain::job::{Format, JobName, ToBound};
use crate::domain::recheck::Recheck;
use crate::domain::schedule::Schedule;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::window::WindowSize;

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn now() -> UtcMs {
    "2026-11-22T00:00:00Z"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .into()
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, now()).map_err(|problems| problems.to_string())
}

fn account(name: &str) -> AccountName {
    AccountName(name.to_owned())
}

/// The least that a config needs, with `more` in its one job.
fn one_job(more: &str) -> String {
    format!("[[job]]\nname = 'a'\nproject_key = 'k'\nproject_id = 1\n{more}\n")
}

#[test]
fn the_example_means_what_the_contract_says() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.archive.root, Path::new("/var/backups/elsa"));
    assert_eq!(config.archive.zone.to_string(), "Asia/Seoul");
    assert_eq!(config.archive.min_free_space, 1 << 30);
    let limits = Limits {
        unpacked_bytes: 8 << 30,
        entries: 20_000,
        ratio: 1000,
    };
    assert_eq!(config.archive.limits, limits);
    assert_eq!(config.state_dir, Path::new("/var/lib/elsa-archiver"));

    assert_eq!(config.accounts.len(), 1);
    let ConfiguredAccount {
        account: limits,
        keys,
        ..
    } = &config.accounts[&account("default")];
    assert_eq!(limits.endpoint.to_string(), "https://elsa.apigw.ntruss.com");
    assert_eq!((limits.max_in_flight, limits.requests_per_second), (2, 2.0));
    let expected = KeySource::Named {
        access_key: KeyForm::Credential("access-key".to_owned()),
        secret_key: KeyForm::Credential("secret-key".to_owned()),
    };
    assert_eq!(keys, &expected);

    let since: jiff::Timestamp = "2026-10-31T15:00:00Z".parse().unwrap();
    let job = Job {
        name: JobName::parse("shop-api").unwrap(),
        account: account("default"),
        project_key: "Pbxxxxx_elsa-test".to_owned(),
        project_id: 16706,
        since: since.into(),
        configured_since: since.into(),
        zone: config.archive.zone.clone(),
        window: WindowSize::new(Millis(3_600_000)).unwrap(),
        settle: Millis(600_000),
        recheck: Recheck::WhereSearchConfirms,
        schedule: Schedule::parse("0 */5 * * * *").unwrap(),
        format: Format::Json,
        include_fields: vec![],
        retention: None,
        keep: None,
        to_bound: None,
        cross_check: CrossCheck::All,
        count: 200_000,
        limit: 1000,
        records_zone: None,
        succeeds: None,
        owed: Vec::new(),
        elsewhere: Vec::new(),
        enabled: true,
    };
    assert_eq!(config.jobs, [job]);
}

#[test]
fn the_example_shows_every_key() {
    let keys = [
        &KEYS[..],
        &ARCHIVE_KEYS,
        &STATE_KEYS,
        &accounts::KEYS,
        &jobs::KEYS,
        &observe::KEYS,
        &object_store::KEYS,
    ]
    .concat();
    for key in keys {
        let shown = EXAMPLE.lines().any(|line| {
            // What must not be copied with the example is a comment in it.
            let line = line.strip_prefix("# ").unwrap_or(line);
            let header = line.trim_start_matches('[').strip_prefix(key);
            line.starts_with(&format!("{key} = "))
                || line.starts_with('[')
                    && (header.is_some_and(|rest| rest.starts_with([']', '.']))
                        || line.ends_with(&format!(".{key}]")))
        });
        assert!(shown, "{key}");
    }
    for form in accounts::KEY_FORMS {
        assert!(EXAMPLE.contains(&format!("{{ {form} = ")), "{form}");
    }
}

#[test]
fn what_is_left_out_has_the_example_s_value() {
    let config = parse(&one_job("since = 2026-11-01")).unwrap();
    let mut example = parse(EXAMPLE).unwrap();
    let given = &mut example.jobs[0];
    given.name = JobName::parse("a").unwrap();
    (given.project_key, given.project_id) = ("k".to_owned(), 1);
    given.retention = None;
    given.keep = None;
    example.accounts.get_mut(&account("default")).unwrap().keys = KeySource::Ambient;
    assert_eq!(config, example);
}

#[test]
fn a_job_has_what_it_says_itself_and_the_rest_from_defaults() {
    let text = "[account.gov]
endpoint = 'http://127.0.0.1:8080'
access_key.env = 'A'
secret_key.file = '/s'
requests_per_second = 1
[defaults]
account = 'gov'
since = 2026-11-02T00:00:00Z
window = '1d'
enabled = false
include_fields = ['logTime', '본문']
[[job]]
name = 'one'
project_key = 'k'
project_id = 0
[[job]]
name = 'two'
project_key = 'k'
project_id = 0x10
since = '2026-11-03T00:00:00Z'
window = '15m'
format = 'csv'
to_bound = 'exclusive'
enabled = true
schedule = '0 3 * * *'
";
    let config = parse(text).unwrap();
    let [one, two] = &config.jobs[..] else {
        panic!("{:?}", config.jobs)
    };
    assert_eq!(
        (one.window, one.enabled, one.project_id),
        (WindowSize::DAY, false, 0)
    );
    assert_eq!(one.since.to_string(), "2026-11-02T00:00:00Z");
    assert_eq!(
        (two.window.length().0, two.enabled, two.project_id),
        (900_000, true, 16)
    );
    assert_eq!(two.since.to_string(), "2026-11-03T00:00:00Z");
    assert_eq!(
        (two.format, two.to_bound),
        (Format::Csv, Some(ToBound::Exclusive))
    );
    assert_eq!(two.schedule.as_str(), "0 0 3 * * *");
    for job in [one, two] {
        assert_eq!(job.account, account("gov"));
        assert_eq!(job.include_fields, ["logTime", "본문"]);
    }
}

#[test]
fn the_zone_of_records_is_a_zone_s_name_and_not_guessed() {
    let read = |value: &str| {
        let key = format!("time_zone_of_records = {value}");
        let own = parse(&one_job(&format!("since = 2026-11-01\n{key}")));
        let of_all = parse(&format!(
            "[defaults]\n{key}\n{}",
            one_job("since = 2026-11-01")
        ));
        let zone = |config: Config| config.jobs[0].records_zone.as_ref().map(Zone::to_string);
        (own.map(zone), of_all.map(zone))
    };
    for name in ["Asia/Seoul", "America/New_York"] {
        let zone = Ok(Some(name.to_owned()));
        assert_eq!(read(&format!("'{name}'")), (zone.clone(), zone));
    }
    for (wrong, why) in [
        ("'Asia/Soul'", "did you mean \"Asia/Seoul\"?"),
        ("'+09:00'", "there is no time zone"),
        ("'KST'", "there is no time zone"),
        ("''", "there is no time zone"),
        ("9", "must be a string like \"Asia/Seoul\""),
    ] {
        let (own, of_all) = read(wrong);
        for (problem, place) in [(own, "6: job.a."), (of_all, "2: defaults.")] {
            let problem = problem.unwrap_err();
            let at = format!("{place}time_zone_of_records: ");
            assert!(
                problem.starts_with(&at) && problem.contains(why),
                "{problem}"
            );
        }
    }
    let none = parse(&one_job("since = 2026-11-01")).unwrap();
    assert_eq!(none.jobs[0].records_zone, None);
}

#[test]
fn one_project_may_have_two_jobs() {
    let one = one_job("since = 2026-11-01");
    let two = format!("{one}{}", one.replace("'a'", "'b'"));
    assert_eq!(parse(&two).unwrap().jobs.len(), 2);
}

#[test]
fn numbers_are_within_their_ranges() {
    for (key, right, wrong) in [
        (
            "count",
            &["1", "200_000"][..],
            &["0", "200001", "1.0", "'1'", "99999999999999999999"][..],
        ),
        ("limit", &["1", "1000"], &["0", "1001", "-1"]),
        (
            "settle",
            &["'0s'", "'30d'"],
            &["'31d'", "'-1s'", "0", "'10'"],
        ),
        (
            "retention",
            &["'4201s'", "'3650d'"],
            &["'4200s'", "'0s'", "'99999999999999d'"],
        ),
        ("keep", &["'1d'", "'3650d'"], &["'23h'", "'0s'", "400"]),
        (
            "window",
            &["'1m'", "'12h'", "'1d'"],
            &["'30s'", "'5h'", "'2d'", "''", "3600"],
        ),
        (
            "include_fields",
            &["[]", "['a']"],
            &["['']", "'a'", "[['a']]", "[\"a\\n\"]"],
        ),
    ] {
        let read = |value| parse(&one_job(&format!("since = 2026-11-01\n{key} = {value}")));
        for value in right {
            assert!(read(value).is_ok(), "{key} = {value}: {:?}", read(value));
        }
        for value in wrong {
            let error = read(value).expect_err(value);
            assert!(
                error.starts_with(&format!("6: job.a.{key}: ")),
                "{key} = {value}: {error}"
            );
        }
    }
    for (key, right, wrong) in [
        ("max_in_flight", &["1", "64"][..], &["0", "65", "1.5"][..]),
        (
            "requests_per_second",
            &["0.1", "1", "1e3"],
            &["0", "-1.0", "inf", "nan", "1001", "'1'"],
        ),
    ] {
        let job = one_job("since = 2026-11-01");
        let read = |value| parse(&format!("[account.default]\n{key} = {value}\n{job}"));
        for value in right {
            assert!(read(value).is_ok(), "{key} = {value}: {:?}", read(value));
        }
        for value in wrong {
            let error = read(value).expect_err(value);
            assert!(
                error.starts_with(&format!("2: account.default.{key}: ")),
                "{error}"
            );
        }
    }
}

/// Guarantee: Bounded
#[test]
fn limits_on_a_zip_are_within_their_ranges() {
    let job = one_job("since = 2026-11-01");
    for (key, right, wrong) in [
        (
            "max_unpacked",
            &["'1MiB'", "'2TiB'"][..],
            &["'1023KiB'", "'0B'", "'8GB'", "8"][..],
        ),
        (
            "max_entries",
            &["1", "1_000_000"],
            &["0", "1000001", "'20000'"],
        ),
        ("max_ratio", &["1", "1032"], &["0", "1033", "50.0"]),
    ] {
        let read = |value| parse(&format!("[archive]\n{key} = {value}\n{job}"));
        for value in right {
            let limits = read(value).unwrap().archive.limits;
            assert_ne!(limits, Limits::default(), "{key} = {value}");
        }
        for value in wrong {
            let error = read(value).expect_err(value);
            assert!(error.starts_with(&format!("2: archive.{key}: ")), "{error}");
        }
    }
}

#[test]
fn a_file_is_read_bounded_and_its_problems_carry_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let load = || Config::load(&path, now());

    let error = load().unwrap_err().to_string();
    assert!(
        error.contains("`elsa-archiver init` writes one to begin with"),
        "{error}"
    );

    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(load().unwrap().jobs.len(), 1);

    std::fs::write(&path, "[archive]\n\nroot = 'x'\nroots = 1").unwrap();
    let error = load().unwrap_err().to_string();
    let prefix = format!("{}:", path.display());
    assert!(
        error.lines().all(|line| line.starts_with(&prefix)),
        "{error}"
    );
    assert!(
        error.contains(&format!("{prefix}3: archive.root: \"x\" is not absolute")),
        "{error}"
    );

    std::fs::write(&path, b"[archive]\n# \xff").unwrap();
    assert_eq!(
        load().unwrap_err().to_string(),
        format!("{prefix}2: not UTF-8; save the file in that encoding")
    );

    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert!(load().unwrap_err().to_string().contains("more than 1 MiB"));
}

proptest! {
    /// Guarantee: Suspicious
    #[test]
    fn no_text_panics_and_no_message_holds_control_characters(
        text in "([\\[\\]{}=.,'\"# \n]|job|account|archive|defaults|since|name|window|[0-9]|.)*",
    ) {
        check_problems(&text)?;
    }

    #[test]
    fn a_damaged_example_does_not_panic(
        cut in any::<prop::sample::Index>(),
        length in 0usize..40,
        insert in "[\\[\\]{}=.,'\"# \n\\\\\u{1b}a0]{0,3}|.*",
    ) {
        let chars: Vec<_> = EXAMPLE.chars().collect();
        let cut = cut.index(chars.len());
        let rest = &chars[(cut + length).min(chars.len())..];
        let text: String =
            chars[..cut].iter().copied().chain(insert.chars()).chain(rest.iter().copied()).collect();
        check_problems(&text)?;
    }

    #[test]
    fn no_value_panics(key in prop::sample::select(&jobs::KEYS[..]), value in any::<String>()) {
        check_problems(&one_job(&format!("{key} = {value:?}")))?;
        check_problems(&one_job(&format!("{key} = '''{value}'''")))?;
    }
}

fn check_problems(text: &str) -> Result<(), TestCaseError> {
    if let Err(problems) = Config::parse(text, now()) {
        let lines = text.matches('\n').count() + 1;
        prop_assert!(!problems.as_slice().is_empty());
        prop_assert!(problems.as_slice().is_sorted_by_key(|problem| problem.line));
        for problem in problems.as_slice() {
            let shown = problem.to_string();
            prop_assert!((1..=lines).contains(&problem.line), "{}", shown);
            prop_assert!(!shown.chars().any(char::is_control), "{}", shown);
            prop_assert!(shown.chars().count() < 1500, "{}", shown);
        }
    }
    Ok(())
}
