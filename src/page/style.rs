//! The page's colours and shapes, and what a browser may do with it: nothing but show it in this style. Carries
//! *Suspicious*.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The one style, which stands in each page.
pub(super) const CSS: &str = include_str!("style.css");

/// What a page may load, in all pages: its own style.
fn sources() -> String {
    let digest = STANDARD.encode(Sha256::digest(CSS));
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
}

/// `Content-Security-Policy` of a page that is served.
pub(crate) fn policy() -> String {
    let mut policy = sources();
    let _ = write!(policy, "; frame-ancestors 'none'");
    policy
}

/// The same for a page that is a file: what only a server can say is left out.
pub(super) fn policy_of_file() -> String {
    sources()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::page::state::State;

    /// The variables of a part of the style.
    fn variables(css: &str) -> BTreeMap<&str, &str> {
        let all = css
            .split([';', '{', '}', '\n'])
            .filter_map(|line| line.split_once(':'));
        all.filter(|(name, _)| name.starts_with("--")).collect()
    }

    /// How bright it is, as WCAG reckons it.
    fn luminance(colour: &str) -> f64 {
        let hex = colour.strip_prefix('#').unwrap();
        let digits: Vec<char> = match hex.len() {
            3 => hex.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => hex.chars().collect(),
        };
        let part = |at: usize| {
            let text: String = digits[at..at + 2].iter().collect();
            let value = f64::from(u8::from_str_radix(&text, 16).unwrap()) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn all_text_has_the_contrast_that_wcag_asks_for_in_light_in_dark_and_in_print() {
        let (light, rest) = CSS.split_once("@media(prefers-color-scheme:dark)").unwrap();
        let (dark, rest) = rest.split_once("*{box-sizing").unwrap();
        let (_, print) = rest.split_once("@media print").unwrap();
        let light = variables(light);
        let over = |changed: &'static str| {
            let mut all = light.clone();
            all.extend(variables(changed));
            all
        };
        for (mode, colours) in [
            ("light", light.clone()),
            ("dark", over(dark)),
            ("print", over(print)),
        ] {
            let of = |name: &str| colours[format!("--{name}").as_str()];
            for state in State::ALL {
                let class = state.class();
                let (text, ground) = match state {
                    State::Acknowledged => (of("known-t"), of("bg")),
                    State::Ended | State::Before => (of("soft"), of("bg")),
                    _ => (of(&format!("{class}-t")), of(class)),
                };
                let found = contrast(text, ground);
                assert!(found >= 4.5, "{mode} {class}: {found}");
                assert!(CSS.contains(&format!(".{class}")), "{class}");
            }
            for text in ["fg", "soft", "link"] {
                for ground in ["bg", "panel"] {
                    let found = contrast(of(text), of(ground));
                    assert!(found >= 4.5, "{mode} {text} on {ground}: {found}");
                }
            }
            assert!(contrast(of("focus"), of("bg")) >= 3.0, "{mode}");
        }
    }
}
