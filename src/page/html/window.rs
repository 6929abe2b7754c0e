//! A window, and its manifest.

use jiff::civil::Date;
use maud::{Markup, html};

use super::{alert, crumbs, document, fact, tag, time};
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::domain::failures::Failures;
use crate::domain::job::JobName;
use crate::domain::second_opinion::Way;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::page::lang::Lang;
use crate::page::manifest::Found;
use crate::page::sheet::Row;
use crate::page::shown::Held;
use crate::page::state::State;
use crate::page::words::{grouped, size};
use crate::printable::whole;

/// How many files and parts of a manifest are listed.
const MOST_LISTED: usize = 200;

/// A window of a job.
#[derive(Debug)]
pub(crate) struct WindowPage<'a> {
    /// The job.
    pub(crate) job: &'a JobName,
    /// Its zone.
    pub(crate) zone: &'a Zone,
    /// The day on which it begins.
    pub(crate) date: Date,
    /// The window.
    pub(crate) row: &'a Row<'a>,
    /// When the service forgets it, where it is due and that is known.
    pub(crate) deadline: Option<UtcMs>,
    /// How it has failed.
    pub(crate) failed: Option<&'a Failures>,
    /// Its manifest, where something is archived.
    pub(crate) manifest: Option<Result<Found, String>>,
}

/// The page of a window.
pub(crate) fn window(lang: Lang, page: &WindowPage<'_>) -> String {
    let (window, zone) = (page.row.window, page.zone);
    let title = format!("{}: {}", page.job, page.row.name(zone));
    let state = page.row.state;
    let content = html! {
        p { (tag(lang, state)) " – " (lang.meaning(state)) }
        dl {
            (fact(lang.span(), &html! { (time(window.from(), zone)) " – " (time(window.to(), zone)) }))
            @if let Some(held) = page.row.held { (held_facts(lang, held, zone)) }
            @if matches!(state, State::Gap | State::Late) {
                (fact(lang.deadline(), &html! {
                    @match page.deadline { Some(at) => { (time(at, zone)) }, None => { (lang.deadline_unknown()) } }
                }))
            }
            @if let Some(failed) = page.failed {
                (fact(lang.times_failed(), &html! { (lang.times(failed.times)) }))
                (fact(lang.last_failed(), &time(failed.last, zone)))
            }
        }
        @if let Some(failed) = page.failed {
            h2 { (lang.errors()) }
            p lang="en" { (failed.message) }
        }
        @match &page.manifest {
            None => {
                p { (lang.not_archived()) }
                @if matches!(state, State::Gap | State::Late) { p { (lang.can_be_cured()) } }
            },
            Some(Err(why)) => {
                h2 { (lang.manifest()) }
                (alert(lang, &format!("{}: {why}", lang.manifest_unread())))
            },
            Some(Ok(found)) => { (manifest(lang, found, zone)) },
        }
    };
    document(
        lang,
        &title,
        &crumbs(lang, Some((page.job, page.date))),
        &content,
    )
}

fn held_facts(lang: Lang, held: &Held, zone: &Zone) -> Markup {
    html! {
        (fact(lang.archived(), &html! {
            @match held.records {
                Some(records) => { (lang.amount(records, held.bytes)) },
                None => { (size(held.bytes)) },
            }
        }))
        (fact(lang.by(), &html! { (lang.way(held.by)) }))
        @if held.is_known { (fact(lang.state(), &html! { (lang.is_known()) })) }
        @if let Some(place) = &held.place {
            (fact(lang.recorded_at(), &time(place.at, zone)))
            div.full { dt { (lang.manifest_path()) } dd { code { (place.folder) "/" (MANIFEST) } } }
        }
    }
}

fn manifest(lang: Lang, found: &Found, zone: &Zone) -> Markup {
    let manifest = &found.manifest;
    let request = &manifest.request;
    html! {
        h2 { (lang.manifest()) }
        @match found.is_recorded {
            true => { p { "✓ " (lang.agrees()) } },
            false => { p.alert { strong { (lang.differs()) } } },
        }
        @if found.is_pruned { p { (lang.pruned()) } }
        dl.wide {
            (fact(lang.archived_at(), &text(&manifest.archived_at)))
            (fact(lang.tool(), &text(&manifest.tool)))
            (fact(lang.project(), &html! { (whole(&manifest.project_key)) " (" (manifest.project_id) ")" }))
            (fact(lang.request(), &html! {
                code {
                    (whole(&request.endpoint)) " format=" (request.format.wire_name()) " count=" (request.count)
                    " limit=" (request.limit) " to_bound=" (request.to_bound)
                    @if !request.include_fields.is_empty() { " include_fields=" (whole(&request.include_fields.join(","))) }
                }
            }))
            @if let Some(confirmed) = &manifest.confirmed {
                (fact(lang.second_opinion(), &html! {
                    (lang.way(confirmed.by))
                    @if let Some(at) = &confirmed.at { ", " (whole(at)) }
                }))
                @if let (Way::None | Way::Download, Some(reason)) = (confirmed.by, &confirmed.reason) {
                    (fact(lang.reason(), &html! { span lang="en" { (whole(reason)) } }))
                }
            }
            @if let Some(before) = &manifest.supersedes { (fact(lang.supersedes(), &code(&before.folder))) }
            (fact(lang.previous(), &match &manifest.previous {
                Some(digest) => html! { code { (digest) } },
                None => html! { (lang.none()) },
            }))
        }
        (parts(lang, manifest, zone))
        (files(lang, manifest, zone))
    }
}

fn parts(lang: Lang, manifest: &Manifest, zone: &Zone) -> Markup {
    let parts = &manifest.parts;
    html! {
        h3 { (lang.parts()) }
        div.over { table.list {
            thead { tr {
                th scope="col" { (lang.span()) }
                th.n scope="col" { (lang.records()) }
                th.n scope="col" { (lang.attempts()) }
                th scope="col" { (lang.zip()) }
            } }
            tbody {
                @for part in parts.iter().take(MOST_LISTED) {
                    tr {
                        th scope="row" { (time(part.from_ms, zone)) " – " (time(part.to_ms, zone)) }
                        td.n { (counted(part.records)) }
                        td.n { (part.attempts) }
                        td { (size(part.zip.bytes)) ", " span.hash { "SHA-256 " (part.zip.sha256) } }
                    }
                }
            }
        } }
        @if parts.len() > MOST_LISTED { p { (lang.and_more(parts.len() - MOST_LISTED)) " (" (MANIFEST) ")" } }
    }
}

fn files(lang: Lang, manifest: &Manifest, zone: &Zone) -> Markup {
    let number = manifest.files().count();
    html! {
        h3 { (lang.files()) }
        div.over { table.list {
            thead { tr {
                th scope="col" { (lang.path()) }
                th.n scope="col" { (lang.records()) }
                th.n scope="col" { (lang.bytes()) }
                th scope="col" { "logTime" }
                th scope="col" { (lang.digest()) }
            } }
            tbody {
                @for file in manifest.files().take(MOST_LISTED) {
                    tr {
                        th scope="row" { (code(&file.path)) }
                        td.n { (counted(file.records)) }
                        td.n { (size(file.bytes)) }
                        td { @if let (Some(first), Some(last)) = (file.first_ms, file.last_ms) { (time(first, zone)) " – " (time(last, zone)) } }
                        td.hash { (file.sha256) }
                    }
                }
            }
        } }
        @if number > MOST_LISTED { p { (lang.and_more(number - MOST_LISTED)) " (" (MANIFEST) ")" } }
    }
}

fn counted(records: Option<u64>) -> String {
    records.map_or_else(|| "?".to_owned(), grouped)
}

fn text(text: &str) -> Markup {
    html! { (whole(text)) }
}

fn code(text: &str) -> Markup {
    html! { code { (whole(text)) } }
}
