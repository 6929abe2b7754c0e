//! Writes what a package ships beside the program: man pages and completions of shells. They are made of the command
//! line itself, and of `config.example.toml`, when a package is made; the program carries none of it.
//!
//! `cargo run --example manual -- DIR` writes `DIR/man/*.1`, `DIR/man/elsa-archiver.toml.5` and
//! `DIR/completions/{bash,zsh,fish}/`.

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use elsa_archiver::cli;
use elsa_archiver::clock::Clock;
use jiff::Timestamp;

const PROGRAM: &str = "elsa-archiver";
const MANUAL: &str = "elsa-archiver manual";
const CONFIG: &str = include_str!("../config.example.toml");

#[allow(dead_code, reason = "a test takes this file as a module")]
fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("name a folder")?;
    write(Path::new(&dir))
}

/// Writes all of it below `dir`.
///
/// # Errors
/// When something can't be written.
pub(crate) fn write(dir: &Path) -> Result<(), Box<dyn Error>> {
    let man = dir.join("man");
    make(&man)?;
    // The subcommand `help` tells the same as the pages do.
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let date = date()?;
    put(
        &man.join("elsa-archiver.1"),
        &page(&command, PROGRAM, &date)?,
    )?;
    for subcommand in command.get_subcommands() {
        let name = format!("{PROGRAM}-{}", subcommand.get_name());
        put(
            &man.join(format!("{name}.1")),
            &page(subcommand, &name, &date)?,
        )?;
    }
    put(
        &man.join("elsa-archiver.toml.5"),
        config_page(&date).as_bytes(),
    )?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let below = dir.join("completions").join(shell.to_string());
        make(&below)?;
        generate_to(shell, &mut cli::command(), PROGRAM, &below)?;
    }
    Ok(())
}

/// The date of the pages: that of the sources where whoever packs says it, so that the same sources make the same pages.
fn date() -> Result<String, Box<dyn Error>> {
    let at = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => Timestamp::from_second(seconds.parse()?)?,
        Err(_) => Clock::system().now().timestamp(),
    };
    Ok(at.strftime("%Y-%m-%d").to_string())
}

/// The page of a command.
fn page(command: &Command, name: &str, date: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let after = command.get_after_help().map(ToString::to_string);
    let after = after.unwrap_or_default();
    let (examples, rest) = after.split_once("\n\n").unwrap_or((&after, ""));
    // clap wants names that live as long as the program, which ends soon.
    let shown = match name.strip_prefix("elsa-archiver-") {
        Some(subcommand) => format!("{PROGRAM} {subcommand}"),
        None => name.to_owned(),
    };
    let named = command.clone().name(name.to_owned().leak() as &'static str);
    let man = Man::new(named.bin_name(shown))
        .title(name.to_uppercase())
        .date(date)
        .source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")))
        .manual(MANUAL);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut text = without_double_breaks(&String::from_utf8(page)?);
    if command.has_subcommands() {
        text += ".SH COMMANDS\n";
        for subcommand in command.get_subcommands() {
            let about = subcommand.get_about().map(ToString::to_string);
            let page = format!("{PROGRAM}-{}", subcommand.get_name());
            text += &format!(
                ".TP\n.BR {} (1)\n{}\n",
                plain(&page),
                plain(&about.unwrap_or_default())
            );
        }
    }
    let lines: Vec<&str> = examples.lines().skip(1).collect();
    if !lines.is_empty() {
        text += &format!(
            ".SH EXAMPLES\n.EX\n{}.EE\n",
            lines
                .iter()
                .map(|line| plain(line) + "\n")
                .collect::<String>()
        );
    }
    if let Some((_, codes)) = rest.split_once("Exit codes: ") {
        text += ".SH EXIT STATUS\n";
        for code in codes.trim_end_matches('.').split("; ") {
            let (number, meaning) = code.split_once(' ').unwrap_or((code, ""));
            text += &format!(".TP\n.B {number}\n{}\n", plain(meaning));
        }
    }
    if command.has_subcommands() {
        text += SURROUNDINGS;
    }
    let others = match command.has_subcommands() {
        true => ".BR elsa\\-archiver.toml (5)\n".to_owned(),
        false => ".BR elsa\\-archiver (1),\n.BR elsa\\-archiver.toml (5)\n".to_owned(),
    };
    text += &format!(".SH SEE ALSO\n{others}");
    Ok(text.into_bytes())
}

/// A break beside a space breaks nothing, and whoever checks the page says so. An empty line is a space.
fn without_double_breaks(page: &str) -> String {
    let lines: Vec<&str> = page
        .lines()
        .map(|line| if line.is_empty() { ".sp" } else { line })
        .collect();
    let is_space = |at: Option<usize>| at.and_then(|at| lines.get(at)) == Some(&".sp");
    let is_kept = |at: usize| !is_space(at.checked_sub(1)) && !is_space(at.checked_add(1));
    let lines = lines.iter().enumerate();
    let kept = lines.filter(|&(at, line)| *line != ".br" || is_kept(at));
    kept.flat_map(|(_, line)| [line, "\n"]).collect()
}

/// What the program's own page says beside its options.
const SURROUNDINGS: &str = "\
.SH ENVIRONMENT
.TP
.B ELSA_ARCHIVER_CONFIG
The configuration, unless \\-\\-config names one.
.TP
.B RUST_LOG
What is logged, like debug. Then \\-v and \\-q do not count.
.TP
.BR CREDENTIALS_DIRECTORY
Where keys of the form { credential = ... } are; systemd sets it.
.TP
.BR NCLOUD_ACCESS_KEY , \" \" NCLOUD_SECRET_KEY
The keys of an account whose configuration names none.
.TP
.BR HTTPS_PROXY , \" \" NO_PROXY
The proxy, unless the account has one.
.SH FILES
.TP
.I /etc/elsa\\-archiver/config.toml
The configuration, see
.BR elsa\\-archiver.toml (5).
.TP
.I /var/lib/elsa\\-archiver
The state: what was archived.
.TP
.I /var/backups/elsa
The archive.
";

/// The page of the configuration, of the comments and keys of the example.
fn config_page(date: &str) -> String {
    let mut page = format!(
        ".TH ELSA\\-ARCHIVER.TOML 5 {date} \"{PROGRAM} {}\" \"{MANUAL}\"\n.SH NAME\nelsa\\-archiver.toml \\- configuration \
         of elsa\\-archiver\n.SH SYNOPSIS\n.I /etc/elsa\\-archiver/config.toml\n.SH DESCRIPTION\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut told: Vec<&str> = Vec::new();
    for line in CONFIG.lines() {
        let commented = line.strip_prefix("# ").unwrap_or(line);
        if let Some(header) = header(commented) {
            page += &paragraphs(&std::mem::take(&mut told), ".PP\n");
            page += &format!(".SH {}\n", plain(header));
        } else if let Some(key) = key(commented) {
            // The keys of a table that is optional are comments themselves, each behind what is told of it.
            page += &format!(
                ".TP\n.B {}\n{}",
                plain(key),
                paragraphs(&std::mem::take(&mut told), ".IP\n")
            );
            page += &format!(".IP\n.EX\n{}\n.EE\n", plain(commented));
        } else if let Some(text) = line.strip_prefix('#') {
            told.push(text.strip_prefix(' ').unwrap_or(text));
        } else if line.is_empty() && !told.is_empty() {
            told.push("");
        }
    }
    page + &paragraphs(&told, ".PP\n")
        + ".SH SEE ALSO\n.BR elsa\\-archiver (1),\n.BR elsa\\-archiver\\-check (1)\n"
}

/// `[archive]` or `[[job]]`.
fn header(line: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    let name = line.trim_start_matches('[').trim_end_matches(']');
    (line.starts_with('[') && line.ends_with(']') && !name.is_empty() && name.chars().all(is_name))
        .then_some(line)
}

/// The key of `key = value`.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(" = ")?;
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    key.chars().all(is_name).then_some(key)
}

/// Lines of text as paragraphs; indented ones stay as they are.
fn paragraphs(lines: &[&str], between: &str) -> String {
    let mut text = String::new();
    let mut is_begun = false;
    for line in lines {
        if line.is_empty() {
            is_begun = false;
        } else if line.starts_with(' ') {
            text += &format!("{between}.EX\n{}\n.EE\n", plain(line));
            is_begun = false;
        } else {
            if !is_begun && !text.is_empty() {
                text += between;
            }
            text += &(plain(line) + "\n");
            is_begun = true;
        }
    }
    text
}

/// Text as it is, for roff.
fn plain(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('`', "\\(ga")
        .replace('\'', "\\(aq");
    match text.starts_with('.') {
        true => format!("\\&{text}"),
        false => text,
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool writes what it is for")]
fn make(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[allow(clippy::disallowed_methods, reason = "a tool writes what it is for")]
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::write(path, bytes)
}
