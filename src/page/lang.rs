//! Which language a page is in: what a browser prefers, or what the environment says. Pure.

/// A language that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// Its tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// What `Accept-Language` prefers of what there is; English where it says nothing of either.
    pub(crate) fn accepted(header: &str) -> Self {
        let ranges: Vec<(&str, u16)> = header.split(',').filter_map(range).collect();
        let quality = |lang: Self| {
            let is_meant = |range: &str| {
                let primary = range.split('-').next().unwrap_or_default();
                primary.eq_ignore_ascii_case(lang.tag())
            };
            let named = ranges.iter().filter(|(range, _)| is_meant(range));
            let any = ranges.iter().find(|(range, _)| *range == "*");
            let named = named.map(|&(_, quality)| quality).max();
            named
                .or(any.map(|&(_, quality)| quality))
                .unwrap_or_default()
        };
        let first = |lang: Self| {
            let mut places = ranges.iter().enumerate();
            let named =
                places.find(|(_, (range, _))| range.to_ascii_lowercase().starts_with(lang.tag()));
            named.map_or(usize::MAX, |(at, _)| at)
        };
        let (en, ko) = (quality(Self::En), quality(Self::Ko));
        match ko > en || (ko == en && first(Self::Ko) < first(Self::En)) {
            true if ko > 0 => Self::Ko,
            _ => Self::En,
        }
    }

    /// What the variables `LC_ALL`, `LC_MESSAGES` and `LANG` say, in this order; the first that says something counts.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let mut said = names.into_iter().filter_map(variable);
        let locale = said.find(|locale| !locale.is_empty()).unwrap_or_default();
        match locale.split(['_', '.', '@', '-']).next() {
            Some(lang) if lang.eq_ignore_ascii_case("ko") => Self::Ko,
            _ => Self::En,
        }
    }
}

/// A range of languages and its quality in thousandths; `None` where it is none.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let quality = match parts.next() {
        None => 1000,
        Some(weight) => {
            let (name, value) = weight.split_once('=')?;
            let value: f32 = name
                .trim()
                .eq_ignore_ascii_case("q")
                .then_some(value)?
                .trim()
                .parse()
                .ok()?;
            (0.0..=1.0)
                .contains(&value)
                .then_some((value * 1000.0) as u16)?
        }
    };
    Some((range, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_language_that_the_browser_prefers() {
        for (header, lang) in [
            ("", Lang::En),
            ("ko", Lang::Ko),
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", Lang::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Lang::En),
            ("en;q=0.5, KO-kr;q=0.8", Lang::Ko),
            ("fr, ko;q=0.1", Lang::Ko),
            ("fr-CH, de;q=0.9", Lang::En),
            ("ko;q=0, en;q=0", Lang::En),
            ("ko;q=0, *", Lang::En),
            ("*", Lang::En),
            ("*;q=0.1, ko", Lang::Ko),
            ("en, ko", Lang::En),
            ("ko, en", Lang::Ko),
            ("kok-IN, en;q=0.1", Lang::En),
            ("ko;q=2", Lang::En),
            ("ko;q=x, en;q=0.1", Lang::En),
            (";;,,=;q", Lang::En),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header:?}");
        }
    }

    #[test]
    fn a_report_is_in_the_language_of_the_first_variable_that_says_something() {
        for (all, messages, lang, expected) in [
            ("", "", "ko_KR.UTF-8", Lang::Ko),
            ("", "en_US.UTF-8", "ko_KR.UTF-8", Lang::En),
            ("ko", "C", "C", Lang::Ko),
            ("C.UTF-8", "", "ko_KR", Lang::En),
            ("", "", "", Lang::En),
        ] {
            let found = Lang::of_environment(|name| {
                let value = match name {
                    "LC_ALL" => all,
                    "LC_MESSAGES" => messages,
                    _ => lang,
                };
                (!value.is_empty()).then(|| value.to_owned())
            });
            assert_eq!(found, expected, "{all} {messages} {lang}");
        }
    }
}
