//! What an address asks for. Pure. Carries *Suspicious*: an address is one of a few forms, or it is nothing; what it
//! names is looked up, and never opened.

use jiff::civil::Date;

use crate::domain::job::JobName;

/// The longest name of a window's folder, and more.
const LONGEST: usize = 128;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All jobs, up to this day, or to today.
    All(Option<Date>),
    /// A day of a job.
    Day(JobName, Date),
    /// A window of that day, by the name of its folder.
    Window(JobName, Date, String),
}

impl Asked {
    /// What a path and what follows its `?` ask for; `None` for nothing that there is.
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Option<Self> {
        if path == "/" {
            let until = query.map(|query| date(query.strip_prefix("until=")?));
            return match until {
                None => Some(Self::All(None)),
                Some(day) => day.map(|day| Self::All(Some(day))),
            };
        }
        let mut parts = path.strip_prefix("/jobs/")?.split('/');
        let job = JobName::parse(parts.next()?).ok()?;
        let day = date(parts.next()?)?;
        let asked = match (parts.next(), parts.next()) {
            (None, None) => Self::Day(job, day),
            (Some(name), None) if is_name(name) => Self::Window(job, day, name.to_owned()),
            _ => return None,
        };
        query.is_none().then_some(asked)
    }
}

/// A date as this program writes it.
fn date(text: &str) -> Option<Date> {
    let date: Date = (text.len() == 10).then(|| text.parse().ok())??;
    (date.to_string() == text).then_some(date)
}

fn is_name(name: &str) -> bool {
    let is_usual = |c: char| c.is_ascii_digit() || "T+-.r".contains(c);
    (1..=LONGEST).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn an_address_has_one_of_a_few_forms_or_is_nothing() {
        let job = || JobName::parse("shop").unwrap();
        let day = jiff::civil::date(2026, 11, 1);
        let name = "20261101T000000+0900--20261101T010000+0900.r2";
        for (path, query, asked) in [
            ("/", None, Some(Asked::All(None))),
            ("/", Some("until=2026-11-01"), Some(Asked::All(Some(day)))),
            ("/jobs/shop/2026-11-01", None, Some(Asked::Day(job(), day))),
            (
                &format!("/jobs/shop/2026-11-01/{name}"),
                None,
                Some(Asked::Window(job(), day, name.to_owned())),
            ),
            ("/", Some(""), None),
            ("/", Some("until=20261101"), None),
            ("/", Some("until=2026-11-01&x"), None),
            ("/jobs/shop", None, None),
            ("/jobs/shop/", None, None),
            ("/jobs/shop/2026-11-1", None, None),
            ("/jobs/shop/2026-02-30", None, None),
            ("/jobs/shop/2026-11-01/", None, None),
            ("/jobs/shop/2026-11-01/..", None, None),
            ("/jobs/shop/2026-11-01/a", None, None),
            ("/jobs/shop/2026-11-01/%2e%2e", None, None),
            ("/jobs/../2026-11-01", None, None),
            ("/jobs/Shop/2026-11-01", None, None),
            ("/jobs/shop/2026-11-01", Some("x"), None),
            (
                &format!("/jobs/shop/2026-11-01/{name}/manifest.json"),
                None,
                None,
            ),
            (
                &format!("/jobs/shop/2026-11-01/{}", "1".repeat(200)),
                None,
                None,
            ),
        ] {
            assert_eq!(Asked::parse(path, query), asked, "{path} {query:?}");
        }
    }
}
