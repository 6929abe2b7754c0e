//! What `cat` and `files` tell on stderr, and what it comes to.

use std::io::Write as _;

use super::Holdings;
use crate::archive::reading::Note;
use crate::cli::Context;
use crate::cli::args::LogFormat;
use crate::cli::exit::Stop;
use crate::cli::print::count;

/// What is told on stderr while records go to stdout.
pub(in crate::cli) struct Told<'a> {
    context: &'a Context<'a>,
    incomplete: u64,
    damaged: u64,
    converted: u64,
    is_copy: bool,
}

impl<'a> Told<'a> {
    /// Tells what is known beforehand.
    pub(in crate::cli) fn of(context: &'a Context<'a>, holdings: &Holdings) -> Self {
        let mut told = Self {
            context,
            incomplete: 0,
            damaged: 0,
            converted: 0,
            is_copy: holdings.is_copy,
        };
        let notes = holdings.notes.iter().cloned();
        notes.for_each(|note| told.note(note));
        told
    }

    /// Tells a note.
    pub(in crate::cli) fn note(&mut self, note: Note) {
        match note {
            Note::Damaged(finding) => {
                self.damaged += 1;
                self.say("ERROR", &finding.to_string());
            }
            Note::Incomplete(text) => {
                self.incomplete += 1;
                self.say("WARN", &text);
            }
            Note::Said(text) => self.say("INFO", &text),
            Note::Converted(files) => self.converted += files,
        }
    }

    /// Writes a line to stderr, in the form of the log's where that is JSON.
    fn say(&self, level: &str, text: &str) {
        let mut terminal = self.context.terminal.clone();
        // Who has closed stderr does not want to hear it.
        let _ = match self.context.args.log_format {
            LogFormat::Text => writeln!(terminal, "{text}"),
            LogFormat::Json => {
                let timestamp = format!("{:.3}", self.context.clock.now().timestamp());
                let line = serde_json::json!({
                    "timestamp": timestamp,
                    "level": level,
                    "message": text,
                });
                writeln!(terminal, "{line}")
            }
        };
    }

    /// Tells what it came to, where that is not simply all.
    ///
    /// # Errors
    /// When something is missing or damaged.
    pub(in crate::cli) fn end(self, records: Option<u64>) -> Result<(), Stop> {
        if self.converted > 0 {
            let files = count(self.converted, "file");
            self.say(
                "INFO",
                &format!("{files} of CSV, written as JSON objects of text"),
            );
        }
        let lines = self.damaged + self.incomplete;
        if lines == 0 {
            return Ok(());
        }
        let written = match records {
            Some(records) => format!("{} written, ", count(records, "record")),
            None => String::new(),
        };
        let say = if lines == 1 { "says" } else { "say" };
        let what_to_do = match (self.is_copy, self.damaged) {
            (true, _) => "",
            (false, 0) => "; `elsa-archiver status` says what is to be done",
            (false, _) => "; `elsa-archiver repair` says what cures it",
        };
        let why = format!(
            "{written}not all of the span: {} above {say} why{what_to_do}",
            count(lines, "line")
        );
        Err(match self.damaged {
            0 => Stop::failed(why),
            _ => Stop::damaged_as(why),
        })
    }
}
