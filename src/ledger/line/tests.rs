//! A line keeps its fields, and what makes no sense is refused in words.

use super::*;
use crate::archive::manifest::ChainBreak;
use crate::domain::second_opinion::SecondOpinion;
use crate::domain::split::Status;

/// Guarantee: Evident
#[test]
fn an_archived_line_has_the_fields_of_the_contract() {
    let line = Line {
        seq: 7,
        at: UtcMs(1_795_000_000_123),
        event: Event::Archived(Archived {
            window: Window::of(Span::new(UtcMs(0), UtcMs(3_600_000)).unwrap()),
            status: Status::Complete,
            records: Some(12),
            bytes: 3400,
            folder: "shop/1970-01-01/x".into(),
            manifest_sha256: Digest::of(b"m"),
            supersedes: None,
            asked: None,
            opinion: SecondOpinion {
                by: Some(Way::Search),
                search_agrees: true,
                retry: true,
                cut: true,
            },
            is_inclusive: true,
            is_pruned: false,
        }),
        prev: Some(Digest::of(b"p")),
        opinion_requests: 3,
    };
    let json = line.to_json().unwrap();
    assert_eq!(
        json,
        format!(
            r#"{{"seq":7,"at":"2026-11-18T11:06:40.123Z","event":"archived","prev":"{}","from_ms":0,"to_ms":3600000,"status":"complete","records":12,"bytes":3400,"folder":"shop/1970-01-01/x","manifest_sha256":"{}","confirmed":"search","search_agrees":true,"retry":true,"cut":true,"to_bound":"inclusive","opinion_requests":3}}"#,
            Digest::of(b"p"),
            Digest::of(b"m")
        )
    );
    assert_eq!(Line::parse(json.as_bytes()), Ok(line));
}

/// Guarantee: Candid
#[test]
fn a_rebuilt_line_names_each_break_of_the_chain() {
    let line = Line {
        seq: 1,
        at: UtcMs(1_795_000_000_123),
        event: Event::Rebuilt(Rebuilt {
            span: Span::new(UtcMs(0), UtcMs(7_200_000)).unwrap(),
            windows: 2,
            breaks: vec![ChainBreak {
                from_ms: UtcMs(3_600_000),
                to_ms: UtcMs(7_200_000),
                manifest_sha256: Digest::of(b"m"),
                previous: Some(Digest::of(b"gone")),
            }],
        }),
        prev: None,
        opinion_requests: 0,
    };
    let json = line.to_json().unwrap();
    assert_eq!(
        json,
        format!(
            r#"{{"seq":1,"at":"2026-11-18T11:06:40.123Z","event":"rebuilt","prev":null,"from_ms":0,"to_ms":7200000,"windows":2,"breaks":[{{"from_ms":3600000,"to_ms":7200000,"manifest_sha256":"{}","previous":"{}"}}]}}"#,
            Digest::of(b"m"),
            Digest::of(b"gone")
        )
    );
    assert_eq!(Line::parse(json.as_bytes()), Ok(line));
}

/// Guarantee: Evident
#[test]
fn what_is_let_go_of_and_what_is_held_has_the_fields_of_the_contract() {
    let span = Span::new(UtcMs(0), UtcMs(3_600_000)).unwrap();
    let hold = Hold {
        span,
        reason: "case 7".into(),
    };
    let pruned = Pruned {
        window: Window::of(span),
        bytes: 3400,
        reason: "proven at vault".into(),
    };
    for (event, said) in [
        (
            Event::Pruned(pruned),
            r#""event":"pruned","prev":null,"from_ms":0,"to_ms":3600000,"bytes":3400,"reason":"proven at vault""#,
        ),
        (
            Event::Hold(HoldOrder::Hold(hold.clone())),
            r#""event":"held","prev":null,"from_ms":0,"to_ms":3600000,"reason":"case 7""#,
        ),
        (
            Event::Hold(HoldOrder::Release(hold)),
            r#""event":"released","prev":null,"from_ms":0,"to_ms":3600000,"reason":"case 7""#,
        ),
    ] {
        let line = Line {
            seq: 1,
            at: UtcMs(1_795_000_000_123),
            event,
            prev: None,
            opinion_requests: 0,
        };
        let json = line.to_json().unwrap();
        assert_eq!(
            json,
            format!(r#"{{"seq":1,"at":"2026-11-18T11:06:40.123Z",{said}}}"#)
        );
        assert_eq!(Line::parse(json.as_bytes()), Ok(line));
        let without = json.split_once(",\"reason\"").unwrap().0.to_owned() + "}";
        assert!(Line::parse(without.as_bytes()).is_err());
    }
}

/// Guarantee: Suspicious
#[test]
fn what_is_wrong_with_a_line_is_told_without_its_control_characters() {
    let nasty = r"\u001b[2J\n\u202e".repeat(1000);
    let line = |event: &str, key: &str| {
        format!(
            r#"{{"seq":1,"at":"2026-11-18T11:06:40Z","event":"{event}","prev":null,"from_ms":0,"to_ms":1{key}}}"#
        )
    };
    for wrong in [
        line(&nasty, ""),
        line("lost", &format!(r#","{nasty}":1"#)),
        line("archived", &format!(r#","status":"{nasty}""#)),
    ] {
        let why = Line::parse(wrong.as_bytes()).unwrap_err().to_string();
        let raw = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!why.contains(raw) && why.len() < 1500, "{why}");
    }
}

/// Guarantee: Evident
#[test]
fn a_line_that_lacks_or_adds_a_field_is_refused() {
    let failed = r#"{"seq":1,"at":"2026-11-18T11:06:40Z","event":"failed","prev":null,"from_ms":0,"to_ms":1,"message":"x"}"#;
    assert!(Line::parse(failed.as_bytes()).is_ok());
    for (from, to) in [
        ("\"message\":\"x\"", "\"status\":\"complete\""),
        ("failed", "unheard-of"),
        ("\"to_ms\":1", "\"to_ms\":0"),
        ("\"seq\":1", "\"seq\":1,\"more\":2"),
        ("2026-11-18T11:06:40Z", "yesterday"),
    ] {
        let wrong = failed.replace(from, to);
        assert!(Line::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
