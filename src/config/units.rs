//! Durations and sizes as the config writes them: a whole number and one unit, like `90s`, `10m`,
//! `1h`, `30d`, `512MiB`, `2GiB`.

use crate::domain::span::Millis;

/// Longest unit first, so that a duration is shown in the longest one that fits it.
const DURATIONS: [(&str, Millis); 4] = [
    ("d", Millis::from_days(1)),
    ("h", Millis::from_hours(1)),
    ("m", Millis::from_mins(1)),
    ("s", Millis::from_secs(1)),
];

/// `B` comes last: every other unit ends with it too.
const SIZES: [(&str, u64); 5] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("B", 1),
];

/// A duration, at least 0; `None` unless it is digits and one of `s`, `m`, `h`,
/// `d`, and fits.
pub(crate) fn parse_duration(text: &str) -> Option<Millis> {
    DURATIONS.iter().find_map(|&(unit, length)| {
        let count = i64::try_from(digits(text.strip_suffix(unit)?)?).ok()?;
        count.checked_mul(length.0).map(Millis)
    })
}

/// A size in bytes; `None` unless it is digits and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`, and
/// fits.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    SIZES
        .iter()
        .find_map(|&(unit, bytes)| digits(text.strip_suffix(unit)?)?.checked_mul(bytes))
}

/// A duration in the longest unit that it is a whole number of.
pub(super) fn show_duration(length: Millis) -> String {
    let ms = length.0;
    let fits = DURATIONS
        .iter()
        .find(|&&(_, unit_length)| ms != 0 && ms % unit_length.0 == 0);
    match fits {
        Some((unit, unit_length)) => format!("{}{unit}", ms / unit_length.0),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

/// Digits alone: no sign, space or separator, which `parse` would partly allow.
fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quantity_is_digits_and_one_unit() {
        assert_eq!(parse_duration("90s"), Some(Millis(90_000)));
        assert_eq!(parse_duration("0s"), Some(Millis(0)));
        assert_eq!(parse_duration("30d"), Some(Millis(2_592_000_000)));
        assert_eq!(parse_size("512MiB"), Some(512 << 20));
        assert_eq!(parse_size("7B"), Some(7));
        for wrong in [
            "", "s", "10", "-1s", "+1s", "1 h", "1h30m", "1.5h", "10ms", "1H", "1w", "१s",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        for wrong in ["", "B", "1", "1GB", "1 GiB", "-1B", "1gib", "1KiBB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_quantity_too_large_to_count_is_refused() {
        assert_eq!(
            parse_duration("106751991167d"),
            Some(Millis(9_223_372_036_828_800_000))
        );
        assert_eq!(parse_duration("106751991168d"), None);
        assert_eq!(parse_duration("99999999999999999999s"), None);
        assert_eq!(parse_size("16777215TiB"), Some(16_777_215 << 40));
        assert_eq!(parse_size("16777216TiB"), None);
    }

    proptest! {
        #[test]
        fn a_duration_is_read_back_as_it_is_shown(seconds in 0i64..i64::MAX / 1000) {
            let length = Millis::from_secs(seconds);
            prop_assert_eq!(parse_duration(&show_duration(length)), Some(length));
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(count in 0u64..1 << 24, unit in 0usize..5) {
            let (name, bytes) = SIZES[unit];
            prop_assert_eq!(parse_size(&format!("{count}{name}")), count.checked_mul(bytes));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), count in any::<u128>(), unit in "[smhdKMGTiB]{0,3}") {
            for text in [text, format!("{count}{unit}")] {
                let _ = (parse_duration(&text), parse_size(&text));
            }
        }

        #[test]
        fn any_duration_can_be_shown(ms in any::<i64>()) {
            prop_assert!(!show_duration(Millis(ms)).is_empty());
        }
    }
}
