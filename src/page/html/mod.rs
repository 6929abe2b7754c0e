//! The markup. maud escapes whatever is put into it; a style is the only thing that is not escaped. Carries
//! *Suspicious*.

mod calendar;
mod day;
mod jobs;
mod printed;
mod report;
mod volume;
mod window;

use jiff::civil::Date;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::lang::Lang;
use super::state::State;
use super::style::{CSS, policy_of_file};
use super::words::instant;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
pub(crate) use day::{DayPage, day};
pub(crate) use jobs::all;
pub(crate) use printed::{Printed, printed};
pub(crate) use report::{Days, Report};
pub(crate) use window::{WindowPage, window};

/// Where links lead: to pages of the listener, or to other places of the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Pages.
    Pages,
    /// Places of the file.
    File,
}

impl Links {
    fn day(self, job: &JobName, date: Date) -> String {
        match self {
            Self::Pages => format!("/jobs/{job}/{date}"),
            Self::File => format!("#{}", day_id(job, date)),
        }
    }
}

fn day_id(job: &JobName, date: Date) -> String {
    format!("day.{job}.{date}")
}

fn job_id(job: &JobName) -> String {
    format!("job.{job}")
}

/// The head of a document up to the end of its `<header>`.
fn head(title: &str, links: Links) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        @if links == Links::File {
            meta http-equiv="Content-Security-Policy" content=(policy_of_file());
        }
        meta name="referrer" content="no-referrer";
        meta name="color-scheme" content="light dark";
        title { (title) " · elsa-archiver" }
        style { (PreEscaped(CSS)) }
    }
}

/// A whole document.
fn document(lang: Lang, title: &str, top: &Markup, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head { (head(title, Links::Pages)) }
            body {
                a.skip href="#content" { (lang.skip()) }
                header { (top) h1 { (title) } }
                main id="content" tabindex="-1" { (content) }
                footer { p { "elsa-archiver " (env!("CARGO_PKG_VERSION")) } }
            }
        }
    };
    page.into_string()
}

/// A page that says that there is no such page.
pub(crate) fn not_found(lang: Lang) -> String {
    let text = html! {
        p { (lang.not_found_text()) }
        p { a href="/" { (lang.all_jobs()) } }
    };
    document(lang, lang.not_found(), &html! {}, &text)
}

/// A page that says that the page can't be made now.
pub(crate) fn busy(lang: Lang) -> String {
    let text = html! { p { (lang.busy_text()) } };
    document(lang, lang.busy(), &html! {}, &text)
}

/// A page about a job that can't be read.
pub(crate) fn broken(lang: Lang, job: &JobName, why: &str) -> String {
    let text = html! { (alert(lang, why)) p { (lang.not_known()) } };
    document(lang, job.as_str(), &crumbs(lang, None), &text)
}

/// What an operator has to know first.
fn alert(lang: Lang, why: &str) -> Markup {
    html! {
        p.alert { strong { (lang.problem()) } ": " span lang="en" { (why) } }
    }
}

/// The way back.
fn crumbs(lang: Lang, day: Option<(&JobName, Date)>) -> Markup {
    html! {
        nav aria-label=(lang.all_jobs()) {
            ul {
                li { a href="/" { "← " (lang.all_jobs()) } }
                @if let Some((job, date)) = day {
                    li { a href=(Links::Pages.day(job, date)) { (job) ", " (lang.date(date)) } }
                }
            }
        }
    }
}

/// A state's letter and name.
fn tag(lang: Lang, state: State) -> Markup {
    html! {
        span.tag { span class={ "mark " (state.class()) } aria-hidden="true" { (state.letter()) } " " (lang.name(state)) }
    }
}

/// An instant.
fn time(at: UtcMs, zone: &Zone) -> Markup {
    html! { time datetime=(at.timestamp()) { (instant(at, zone)) } }
}

/// A name and what it says.
fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
