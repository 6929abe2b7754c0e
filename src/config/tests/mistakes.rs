//! What the operator reads when a config is wrong: whole messages, with their lines.

use super::*;
use crate::domain::span::Millis;

/// Guarantee: Candid
#[test]
fn every_mistake_is_reported_at_once_with_its_line_and_what_would_be_right() {
    let text = r#"[account.default]
endpoint = "https://user:CANARY@elsa.apigw.ntruss.com"
access_key = "CANARYCANARYCANARY"
secret_key = { credential = "a", env = "B" }
max_in_fligth = 3
requests_per_second = nan
proxy = "proxy.example:CANARY"
ca_file = "company.pem"
[account.gov]
secret_key = { file = "CANARY" }
[archive]
root = "backups"
timezone = "Asia/Soul"
store = "zipped"
min_free_space = "1GB"
[state]
directory = "/var/lib"
[defaults]
name = "x"
settle = 600
[[job]]
name = "shop-api"
project_key = "k"
project_id = -1
window = "7m"
since = "2026-11-01T00:00:00"
format = "JSON"
count = 200001
[[job]]
name = "shop-api"
project_key = ""
project_id = 7
since = "2027-01-01"
account = "defualt"
schedule = "* *"
include_fields = ["a", 1]
enabled = "yes"
[[job]]
name = "Shop"
to_bound = "open"
settle = "1h"
retention = "5m"
colour = "\u001b[31mred"
[jobs]
"#;
    let expected = r#"2: account.default.endpoint: give scheme, host and port only, like https://elsa.apigw.ntruss.com
3: account.default.access_key: a key can't stand in the config; use { credential = "NAME" }, { file = "/PATH" } or { env = "VARIABLE" }
4: account.default.secret_key: needs exactly one source; use { credential = "NAME" }, { file = "/PATH" } or { env = "VARIABLE" }
5: account.default.max_in_fligth: unknown key; did you mean max_in_flight?
6: account.default.requests_per_second: out of range; use a number above 0 and up to 1000
7: account.default.proxy: only http:// and https:// are supported; give one like http://proxy.example:3128
8: account.default.ca_file: "company.pem" is not absolute; give the whole path from /
9: account.gov.access_key: missing; give both keys, or leave both out
10: account.gov.secret_key.file: must be the file's whole path, from /
12: archive.root: "backups" is not absolute; give the whole path from /
13: archive.timezone: there is no time zone "Asia/Soul"; did you mean "Asia/Seoul"?
14: archive.store: "zipped" is no store; use "unpacked" or "zip"
15: archive.min_free_space: "1GB" is not a size; write a whole number and B, KiB, MiB, GiB or TiB, like "1GiB"
17: state.directory: unknown key; valid here: dir
19: defaults.name: is each job's own; put it into the [[job]]
20: defaults.settle: must be a string like "10m", not an integer
24: job.shop-api.project_id: out of range; use a whole number, at least 0
25: job.shop-api.window: "7m" does not divide a day evenly; use 1m to 12h dividing a day evenly, or 1d
26: job.shop-api.since: "2026-11-01T00:00:00" has no offset, so its instant is not known; use a date like "2026-11-01" (its start in archive.timezone), or RFC 3339 with an offset like "2026-11-01T00:00:00+09:00"
27: job.shop-api.format: "JSON" is unknown; did you mean "json"? Use "json" or "csv"
28: job.shop-api.count: out of range; use a whole number from 1 to 200000
30: job.shop-api.name: the [[job]] on line 21 has this name too; names are unique
31: job.shop-api.project_key: has 0 characters; a project's key has 1 to 53
33: job.shop-api.since: "2027-01-01" is not in the past (it is 2026-11-22T00:00:00+00:00 now); correct it, or set this machine's clock
34: job.shop-api.account: there is no account "defualt"; did you mean "default"?
35: job.shop-api.schedule: "* *": a schedule has 5 fields (minute first) or 6 (second first), this one has 2
36: job.shop-api.include_fields: must be a list of field names like ["logTime", "body"], and holds an integer
37: job.shop-api.enabled: must be true or false, not a string
38: job[3].project_key: missing; give the project's key, like "Pbxxxxx_elsa-test"
38: job[3].project_id: missing; give the project's number, like 16706
38: job[3].since: missing; give the first day to archive, like "2026-11-01"
39: job[3].name: "Shop": a job's name is made of a-z, 0-9, '.', '_' and '-'
40: job[3].to_bound: "open" is unknown; use "auto" or "inclusive" or "exclusive"
42: job[3].retention: retention 5m is not longer than the window 1h and settle 1h: logs would be gone before they are asked for; give what the service's project is set to
43: job[3].colour: unknown key; valid here: name, project_key, project_id, succeeds, account, since, schedule, window, settle, recheck, format, include_fields, retention, keep, to_bound, cross_check, count, limit, time_zone_of_records, enabled
44: jobs: unknown key; did you mean job?
"#;
    let problems = Config::parse(text, now()).unwrap_err();
    assert_eq!(problems.to_string() + "\n", expected);
    assert!(!format!("{problems} {problems:?}").contains("CANARY"));
}

#[test]
fn a_recheck_comes_after_settling_and_before_the_service_forgets() {
    let read = |keys: &str| parse(&one_job(&format!("since = 2026-11-01\n{keys}")));
    let fine = read("recheck = '24h'\nretention = '30d'").unwrap();
    assert_eq!(fine.jobs[0].recheck, Recheck::After(Millis(86_400_000)));
    for (keys, why) in [
        (
            "recheck = '10m'",
            "recheck 10m is not longer than settle 10m",
        ),
        (
            "settle = '2h'\nrecheck = '1h'",
            "recheck 1h is not longer than settle 2h",
        ),
        (
            "recheck = '23h'\nretention = '1d'",
            "recheck 23h and the window 1h are not at least 2h shorter than retention 1d",
        ),
        ("recheck = '31d'", "31d is too long; use at most 30d"),
        ("recheck = 24", "must be a string like \"24h\""),
    ] {
        let problem = read(keys).unwrap_err();
        assert!(problem.contains(why), "{problem}");
    }
    let text = "[defaults]\nrecheck = '1d'\nretention = '2d'\nsince = 2026-11-01\n[[job]]\nname = 'a'\n\
                project_key = 'k'\nproject_id = 1\nwindow = '1d'\n";
    let problem = parse(text).unwrap_err();
    assert!(
        problem.starts_with("9: job.a.window: recheck 1d"),
        "{problem}"
    );
    let off = parse(&text.replace("window = '1d'", "recheck = 'never'")).unwrap();
    assert_eq!(off.jobs[0].recheck, Recheck::Never);
    // What [defaults] says is judged there, once.
    let text = "[defaults]\nsettle = '1h'\nrecheck = '5m'\nsince = 2026-11-01\n[[job]]\nname = 'a'\n\
                project_key = 'k'\nproject_id = 1\n";
    let problems = parse(text).unwrap_err();
    assert!(problems.starts_with("3: defaults.recheck:"), "{problems}");
    assert_eq!(problems.lines().count(), 1, "{problems}");
}

#[test]
fn the_service_keeps_logs_for_longer_than_a_window_and_settling_take() {
    let read = |keys: &str| parse(&one_job(&format!("since = 2026-11-01\n{keys}")));
    read("retention = '71m'").unwrap();
    let too_short = "is not longer than the window 1h and settle 10m: logs would be gone";
    for (keys, key, why) in [
        ("retention = '70m'", "6: job.a.retention", too_short),
        (
            "window = '1d'\nretention = '1d'",
            "7: job.a.retention",
            "is not longer than the window 1d and settle 10m",
        ),
    ] {
        let problem = read(keys).unwrap_err();
        assert!(
            problem.starts_with(key) && problem.contains(why),
            "{problem}"
        );
    }
    // What is to blame is what the job says itself.
    let text = "[defaults]\nretention = '1d'\nsince = 2026-11-01\n[[job]]\nname = 'a'\n\
                project_key = 'k'\nproject_id = 1\nwindow = '1d'\n";
    let problem = parse(text).unwrap_err();
    assert!(
        problem.starts_with("8: job.a.window: retention 1d"),
        "{problem}"
    );
}

/// Guarantee: Its own
#[test]
fn root_and_state_directory_that_are_not_apart_are_told_with_the_line_of_the_one_to_blame() {
    let job = one_job("since = 2026-11-01");
    for (head, expected) in [
        (
            "[archive]\nroot = '/'",
            "2: archive.root: is the whole file system; give each",
        ),
        (
            "[state]\ndir = '/var/backups/elsa/state'",
            "2: state.dir: lies inside archive.root; give each",
        ),
        (
            "[archive]\nroot = '/var/lib/elsa-archiver'",
            "2: archive.root: is state.dir too; give each",
        ),
        (
            "[state]\ndir = '/srv'\n[archive]\nroot = '/srv/elsa'",
            "4: archive.root: lies inside state.dir; give each",
        ),
    ] {
        let problem = parse(&format!("{head}\n{job}")).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
        assert_eq!(problem.lines().count(), 1, "{problem}");
    }
}

#[test]
fn text_that_is_not_toml_does_not_hide_what_else_is_wrong() {
    let text = "[account.gov
[archive]
root = CANARY
timezone = 'Soul'
[[job]]
name = 'a'
account = 'gov'
window = '7m'
limit = 1 2
window = '1h'
[[job]
settle = 5
secret_key = 'CANARY
";
    let expected = r#"1: not TOML: unclosed table, expected `]`
3: not TOML: string values must be quoted, expected literal string
4: archive.timezone: there is no time zone "Soul"; did you mean "Asia/Seoul"?
8: job.a.window: "7m" does not divide a day evenly; use 1m to 12h dividing a day evenly, or 1d
9: not TOML: string values must be quoted, expected literal string
10: not TOML: duplicate key
11: not TOML: unclosed array table, expected `]`
"#;
    assert_eq!(parse(text).unwrap_err() + "\n", expected);
}

#[test]
fn an_empty_config_says_what_is_needed() {
    for none in ["", "job = []"] {
        assert_eq!(
            parse(none).unwrap_err(),
            "1: job: missing; give at least one [[job]], see config.example.toml"
        );
    }
    assert_eq!(
        parse("[[job]]").unwrap_err(),
        "1: job[1].name: missing; give a name like \"shop-api\"\n\
         1: job[1].project_key: missing; give the project's key, like \"Pbxxxxx_elsa-test\"\n\
         1: job[1].project_id: missing; give the project's number, like 16706\n\
         1: job[1].since: missing; give the first day to archive, like \"2026-11-01\""
    );
}

#[test]
fn tables_written_as_something_else_are_named_and_not_shown() {
    let text =
        "account.default = 'CANARY'\narchive = 1\nstate = []\ndefaults = true\njob = [{}, 2]";
    let error = parse(text).unwrap_err();
    for message in [
        "1: account.default: must be a table, [account.NAME], not a string",
        "2: archive: must be a table, [archive], not an integer",
        "3: state: must be a table, [state], not an array",
        "4: defaults: must be a table, [defaults], not a boolean",
        "5: job: must be tables headed [[job]], not an integer",
        "5: job[1].name: missing",
    ] {
        assert!(error.contains(message), "{message}: {error}");
    }
    assert!(!error.contains("CANARY"), "{error}");
    let error = parse("[job]\nname = 'a'").unwrap_err();
    assert_eq!(error, "1: job: must be tables headed [[job]], not a table");
}

#[test]
fn an_account_must_be_there_and_without_a_name_it_is_the_default_one() {
    let since = "since = 2026-11-01";
    let gov = format!("[account.gov]\n{}", one_job(since));
    assert_eq!(
        parse(&gov).unwrap_err(),
        "2: job.a.account: missing; there is no account \"default\"; add its table, or name one of \
         the others"
    );
    let wrong = one_job(&format!("{since}\naccount = 'gvo'"));
    assert_eq!(
        parse(&wrong).unwrap_err(),
        "6: job.a.account: there is no account \"gvo\"; add its table, or name one of the others"
    );
    let name = format!(
        "[account.'a b']\n{}",
        one_job("since = 2026-11-01\naccount = 'a b'")
    );
    assert!(
        parse(&name)
            .unwrap_err()
            .starts_with("1: account.\"a b\": an account's name has")
    );
}
