//! Whether the numbered files of one answer are all its pages. Pure; carries *Complete*: a page that is
//! missing, cut short or sent twice would otherwise be a smaller answer that looks whole.

use thiserror::Error;

use crate::archive::manifest::DataFile;

/// Why it is not certain that the pages are all there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Doubt {
    /// The first page is neither 0 nor 1.
    #[error("{path}: it is the first page, so those before it are missing")]
    First {
        /// The page.
        path: String,
    },
    /// Numbers are left out.
    #[error("{path}: a page before it is missing; the one before is number {before}")]
    Gap {
        /// The page after the gap.
        path: String,
        /// The number of the page before the gap.
        before: u64,
    },
    /// Two pages have one number, written with and without zeros before it.
    #[error("{path}: another page has its number")]
    Twice {
        /// The second of them.
        path: String,
    },
    /// A page is not full, though others follow.
    #[error("{path}: a page of {records} records, and not {limit}, though others follow")]
    NotFull {
        /// The page.
        path: String,
        /// Its records.
        records: u64,
        /// How many records a full page has.
        limit: u32,
    },
    /// Two pages have the same content.
    #[error("{path}: page number {other} has the same content")]
    Same {
        /// The second of them.
        path: String,
        /// The number of the first.
        other: u64,
    },
}

/// A numbered file with records.
struct Page<'a> {
    number: u64,
    file: &'a DataFile,
}

/// What is wrong with the pages of an answer that was asked for with `limit` records a page.
///
/// Pages are the files with records, if there are two or more and if their names differ in one number
/// only. They are all there if the first has the number 0 or 1, no number is left out or comes twice,
/// each but the last holds `limit` records, and no two have the same content. Of files with other names
/// nothing is known, and nothing is said.
pub(super) fn doubt(files: &[DataFile], limit: u32) -> Option<Doubt> {
    let with_records: Vec<&DataFile> = files
        .iter()
        .filter(|file| file.records != Some(0))
        .collect();
    let mut pages = pages(&with_records)?;
    pages.sort_by_key(|page| page.number);
    let path = |page: &Page<'_>| page.file.path.clone();
    if let Some(first) = pages.first().filter(|first| first.number > 1) {
        return Some(Doubt::First { path: path(first) });
    }
    for pair in pages.windows(2) {
        let [page, next] = pair else { continue };
        if page.number == next.number {
            return Some(Doubt::Twice { path: path(next) });
        }
        if next.number - page.number > 1 {
            return Some(Doubt::Gap {
                path: path(next),
                before: page.number,
            });
        }
        if let Some(records) = page.file.records.filter(|&held| held != u64::from(limit)) {
            return Some(Doubt::NotFull {
                path: path(page),
                records,
                limit,
            });
        }
    }
    let mut by_content: Vec<&Page<'_>> = pages.iter().collect();
    by_content.sort_by_key(|page| page.file.sha256.to_string());
    by_content.windows(2).find_map(|pair| match pair {
        [page, other] if page.file.sha256 == other.file.sha256 => Some(Doubt::Same {
            path: path(other),
            other: page.number,
        }),
        _ => None,
    })
}

/// The files as pages; `None` unless their names differ in one number, and in that only.
fn pages<'a>(files: &[&'a DataFile]) -> Option<Vec<Page<'a>>> {
    let [first, _, ..] = files else { return None };
    numbers(&first.path).find_map(|(before, after)| {
        files
            .iter()
            .map(|&file| {
                let digits = file.path.strip_prefix(before)?.strip_suffix(after)?;
                let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                // A number beyond all counting is the last one, with a gap before it.
                let number = digits.parse().unwrap_or(u64::MAX);
                is_number.then_some(Page { number, file })
            })
            .collect()
    })
}

/// What stands before and after each number in `name`.
fn numbers(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = name.get(at..)?;
        let start = at + rest.find(|c: char| c.is_ascii_digit())?;
        let length = name[start..].find(|c: char| !c.is_ascii_digit());
        let end = length.map_or(name.len(), |length| start + length);
        at = end;
        Some((&name[..start], &name[end..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const LIMIT: u32 = 1000;

    fn file(path: &str, records: u64) -> DataFile {
        DataFile {
            path: path.to_owned(),
            bytes: records,
            sha256: Digest::of(path.as_bytes()),
            records: Some(records),
            first_ms: None,
            last_ms: None,
        }
    }

    fn told(files: &[(&str, u64)]) -> String {
        let files: Vec<_> = files.iter().map(|&(path, held)| file(path, held)).collect();
        doubt(&files, LIMIT).map_or_else(String::new, |doubt| doubt.to_string())
    }

    /// Guarantee: Complete
    #[test]
    fn pages_are_all_there_if_their_numbers_and_sizes_leave_nothing_out() {
        for files in [
            &[][..],
            &[("logs_1.json", 1000), ("logs_2.json", 1000)],
            &[("logs_1.json", 1000), ("logs_2.json", 1)],
            &[("logs_0.json", 1000), ("logs_1.json", 500)],
            // In any order, with zeros before, from 9 to 10.
            &[("p/2.csv", 7), ("p/1.csv", 1000)],
            &[("a001b", 1000), ("a002b", 1000), ("a003b", 3)],
            &[
                ("logs_8.json", 1000),
                ("logs_9.json", 1000),
                ("logs_10.json", 3),
                ("logs_7.json", 1000),
                ("logs_6.json", 1000),
                ("logs_5.json", 1000),
                ("logs_4.json", 1000),
                ("logs_3.json", 1000),
                ("logs_2.json", 1000),
                ("logs_1.json", 1000),
            ],
            // A number that is the same in all is part of the name.
            &[("2026-11-22_1.json", 1000), ("2026-11-22_2.json", 5)],
            &[("1-of-2.json", 1000), ("2-of-2.json", 5)],
            &[("logs1/1.json", 1000), ("logs1/2.json", 5)],
            // Files without records are no pages.
            &[("logs_1.json", 5), ("logs_7.json", 0)],
            &[
                ("logs_1.json", 1000),
                ("logs_2.json", 5),
                ("logs_3.json", 0),
            ],
        ] {
            assert_eq!(told(files), "", "{files:?}");
        }
    }

    /// Guarantee: Complete
    #[test]
    fn a_page_that_is_missing_cut_short_or_sent_twice_is_noticed() {
        for (files, expected) in [
            (
                &[("logs_1.json", 1000), ("logs_3.json", 500)][..],
                "logs_3.json: a page before it is missing; the one before is number 1",
            ),
            (
                &[("logs_2.json", 1000), ("logs_3.json", 500)],
                "logs_2.json: it is the first page, so those before it are missing",
            ),
            (
                &[("logs_0.json", 1000), ("logs_2.json", 1000)],
                "logs_2.json: a page before it is missing; the one before is number 0",
            ),
            (
                &[("logs_1.json", 999), ("logs_2.json", 500)],
                "logs_1.json: a page of 999 records, and not 1000, though others follow",
            ),
            (
                &[("2.csv", 3), ("1.csv", 1001)],
                "1.csv: a page of 1001 records, and not 1000, though others follow",
            ),
            (
                &[("logs_1.json", 1000), ("logs_01.json", 1000)],
                "logs_01.json: another page has its number",
            ),
            (
                &[
                    ("logs_1.json", 1000),
                    ("logs_2.json", 0),
                    ("logs_3.json", 500),
                ],
                "logs_3.json: a page before it is missing; the one before is number 1",
            ),
            (
                &[("x1", 1000), ("x99999999999999999999999", 1000)],
                "x99999999999999999999999: a page before it is missing; the one before is number 1",
            ),
        ] {
            assert_eq!(told(files), expected, "{files:?}");
        }
    }

    /// Guarantee: Complete
    #[test]
    fn a_page_that_comes_again_under_another_number_is_noticed() {
        let mut files = [
            file("logs_1.json", 1000),
            file("logs_2.json", 1000),
            file("logs_3.json", 1000),
        ];
        assert_eq!(doubt(&files, LIMIT), None);
        files[2].sha256 = files[0].sha256;
        let same = Doubt::Same {
            path: "logs_3.json".into(),
            other: 1,
        };
        assert_eq!(doubt(&files, LIMIT), Some(same));
    }

    #[test]
    fn of_files_with_other_names_nothing_is_said() {
        for files in [
            &[("logs_3.json", 500)][..],
            &[("a.json", 5), ("b.json", 7)],
            &[("logs_1.json", 5), ("logs_3.csv", 7)],
            &[("logs_1.json", 5), ("log_3.json", 7)],
            &[("logs_1.json", 5), ("logs_3.json", 7), ("more.json", 1)],
            &[("1_1.json", 5), ("3_3.json", 7)],
            &[("from_1_to_5.json", 5), ("from_6_to_7.json", 2)],
            &[("logs_.json", 5), ("logs_3.json", 7)],
            &[("logs_1.json", 5), ("logs_-3.json", 7)],
            &[("logs_1.json", 5), ("logs_٣.json", 7)],
        ] {
            assert_eq!(told(files), "", "{files:?}");
        }
    }
}
