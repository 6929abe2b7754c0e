//! Which folders hold a span: of each window its newest revision, in order of time. Pure.

use crate::domain::span::Span;
use crate::domain::window::{FolderName, Named, Window};

/// A window's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The window.
    pub(crate) window: Window,
    /// Its newest revision.
    pub(crate) revision: u32,
    /// Relative to what was listed.
    pub(crate) folder: String,
}

/// The folders of `published` that hold instants of `span`, in order of time; older revisions are left out, and what lies
/// below another date than its name says: somebody has put it there.
pub(crate) fn newest(
    published: impl IntoIterator<Item = (Named, String)>,
    span: Span,
) -> Vec<Held> {
    let mut found: Vec<Held> = published
        .into_iter()
        .filter(|(named, _)| named.window.span().intersection(span).is_some())
        .filter(|(_, folder)| is_in_its_place(folder))
        .map(|(named, folder)| Held {
            window: named.window,
            revision: named.revision,
            folder,
        })
        .collect();
    // Newer before older of each window.
    found.sort_by_key(|held| (held.window, std::cmp::Reverse(held.revision)));
    found.dedup_by_key(|held| held.window);
    found
}

fn is_in_its_place(folder: &str) -> bool {
    let mut names = folder.rsplit('/');
    let (name, date) = (names.next().unwrap_or_default(), names.next());
    date.is_none_or(|date| FolderName::date_of(name).as_deref() == Some(date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;
    use crate::domain::window::Zone;

    /// Guarantee: Exactly once
    #[test]
    fn each_window_of_a_span_is_read_once_from_its_newest_folder() {
        let span =
            |from: i64, to: i64| Span::new(UtcMs(from * 3_600_000), UtcMs(to * 3_600_000)).unwrap();
        let named = |from, to, revision: u32| {
            let name = FolderName::of(Window::of(span(from, to)), &Zone::utc()).relative();
            let suffix = match revision {
                1 => String::new(),
                _ => format!(".r{revision}"),
            };
            let folder = format!("shop/{name}{suffix}");
            let last = folder.rsplit('/').next().unwrap();
            (FolderName::parse(last).unwrap(), folder)
        };
        let published = [
            named(3, 4, 1),
            named(1, 2, 1),
            named(1, 2, 10),
            named(1, 2, 9),
            named(0, 1, 1),
            named(4, 5, 1),
        ];
        let (stray, folder) = named(3, 4, 7);
        let stray = (stray, folder.replace("/19", "/copy-of-19"));
        let published = published.into_iter().chain([stray]);
        let wanted = Span::new(UtcMs(3_600_001), UtcMs(4 * 3_600_000)).unwrap();
        let found = newest(published, wanted);
        let read: Vec<_> = found
            .iter()
            .map(|held| (held.window.span(), held.revision))
            .collect();
        assert_eq!(read, [(span(1, 2), 10), (span(3, 4), 1)]);
        assert!(found[0].folder.ends_with(".r10"), "{found:?}");
    }
}
