//! The same as one file: days are places in it. It is written piece by piece, since years of windows take megabytes.

use std::fmt;
use std::fmt::Write;

use maud::{DOCTYPE, Markup, html};

use super::day::{DayPage, windows};
use super::jobs::{overview, section};
use super::{Links, day_id, head, job_id, tag};
use crate::page::lang::Lang;
use crate::page::sheet::{JobSheet, Sheet};

/// The days of a job.
pub(crate) type Days<'a> = Box<dyn Iterator<Item = DayPage<'a>> + 'a>;

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Report<W> {
    lang: Lang,
    to: W,
}

impl<W: Write> Report<W> {
    /// Begins a file with what stands above the jobs.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn begin(lang: Lang, sheet: &Sheet, mut to: W) -> Result<Self, fmt::Error> {
        let head = html! { head { (head(lang.title(), Links::File)) } };
        write!(
            to,
            "{}<html lang=\"{}\">",
            DOCTYPE.into_string(),
            lang.tag()
        )?;
        write!(to, "{}<body>", head.into_string())?;
        let top = html! {
            a.skip href="#content" { (lang.skip()) }
            header { h1 { (lang.title()) } }
        };
        write!(
            to,
            "{}<main id=\"content\" tabindex=\"-1\">",
            top.into_string()
        )?;
        to.write_str(&overview(lang, sheet).into_string())?;
        Ok(Self { lang, to })
    }

    /// A job, and its days.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn job(&mut self, job: &JobSheet, days: Days<'_>) -> fmt::Result {
        let lang = self.lang;
        self.to
            .write_str(&section(lang, job, Links::File).into_string())?;
        let mut days = days.filter(|day| !day.rows.is_empty()).peekable();
        if days.peek().is_none() {
            return Ok(());
        }
        let title = html! { h2 { (job.name) ": " (lang.in_report()) } };
        write!(self.to, "<section>{}", title.into_string())?;
        for page in days {
            self.to.write_str(&place(lang, job, &page).into_string())?;
        }
        self.to.write_str("</section>")
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn end(mut self) -> Result<W, fmt::Error> {
        let footer = html! { footer { p { "elsa-archiver " (env!("CARGO_PKG_VERSION")) } } };
        write!(self.to, "</main>{}</body></html>", footer.into_string())?;
        Ok(self.to)
    }
}

fn place(lang: Lang, job: &JobSheet, page: &DayPage<'_>) -> Markup {
    let worst = page.rows.iter().map(|row| row.counts_as()).min();
    html! {
        section.dayof {
            h3 id=(day_id(page.job, page.date)) tabindex="-1" {
                (lang.date(page.date)) " " @if let Some(worst) = worst { (tag(lang, worst)) }
            }
            (windows(lang, page, Links::File))
            p { a href={ "#" (job_id(&job.name)) } { "↑ " (lang.back_to_calendar()) } }
        }
    }
}
