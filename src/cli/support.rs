//! `support`: one tar for a bug report, without secrets. Whatever can't be had is in it as a text that says why. It asks
//! no service and changes nothing but the file that it writes. Carries *Suspicious*: what may hold a secret is left out
//! where it is made, and each text is searched for every secret that is known before it is packed.

mod machine;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tar::{Builder, Header};

use super::exit::Stop;
use super::place::{Findings, told};
use super::print::{bytes, print};
use super::{Context, plan, status};
use crate::config::{Config, ConfigError, Environment, KeyForm, Problem, Shareable, shareable};
use crate::domain::secret::Secret;
use crate::domain::span::UtcMs;
use crate::durable::write_private;
use crate::elsa::redact::redact_all;
use crate::ledger::Ledger;
use crate::ledger::tail::newest_first;

/// The folder in the tar.
const FOLDER: &str = "elsa-archiver-support";

/// How much of each ledger is packed, and of how many.
const LEDGER_LINES: usize = 50;
const LEDGER_BYTES: u64 = 1 << 20;
const MOST_LEDGERS: usize = 200;

/// Fewer characters are no secret, but may stand anywhere.
const SHORTEST_SECRET: usize = 5;

/// Variables that may hold a secret.
const VARIABLES: [&str; 8] = [
    "NCLOUD_ACCESS_KEY",
    "NCLOUD_SECRET_KEY",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// One file of the tar.
struct Piece {
    name: String,
    /// What it is, for the list.
    what: &'static str,
    text: String,
}

/// Writes the tar to `out`, by default beside whoever calls.
pub(super) fn support(context: &Context<'_>, out: Option<&Path>) -> Result<(), Stop> {
    let now = context.clock.now();
    let out = match out {
        Some(path) if path == Path::new("-") => {
            return Err(Stop::usage(
                &"--out takes the name of a file, and none is called -",
            ));
        }
        Some(path) => path.to_owned(),
        None => PathBuf::from(format!("{FOLDER}-{}.tar", stamp(now))),
    };
    let (mut pieces, secrets) = gather(context);
    let secrets: Vec<&Secret> = secrets.iter().collect();
    for piece in &mut pieces {
        piece.text = redact_all(&piece.text, &secrets);
    }
    let wrong = |error: std::io::Error| {
        let shown = out.display();
        Stop::failed(match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!(
                    "{shown} is there already, and stays as it is; name another file with --out"
                )
            }
            _ => format!("can't write {shown}: {error}; name another file with --out"),
        })
    };
    let packed = packed(&pieces, now).map_err(wrong)?;
    write_private(&out, &packed).map_err(wrong)?;
    let mut text = format!("{}:\n", out.display());
    for Piece {
        name,
        what,
        text: held,
    } in &pieces
    {
        text += &format!("  {:>10}  {name:24} {what}\n", bytes(held.len() as u64));
    }
    text += "Keys, passwords, addresses of [notify] and comments of the config are left out. Names of jobs, projects and \
             folders are in it, and what the log says. Look at it before you send it: `tar xOf FILE | less`.\n";
    print(&text)
}

/// `20261130T104500Z`.
fn stamp(now: UtcMs) -> String {
    let utc = now.timestamp().to_zoned(TimeZone::UTC);
    utc.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// All pieces, and what must not be in them.
fn gather(context: &Context<'_>) -> (Vec<Piece>, Vec<Secret>) {
    let path = &context.args.config;
    let environment = Context::environment();
    let config = context.config_as_written();
    let read = shareable(path);
    let toml = read.as_ref().ok().and_then(Option::as_ref);
    let mut secrets = of_environment();
    let unit = unit(path);
    let mut pieces = Vec::new();
    let mut add = |name: &str, what, text: String| {
        let name = name.to_owned();
        pieces.push(Piece { name, what, text });
    };
    add("version.txt", "the program", version());
    match (&read, &toml) {
        (_, Some(Shareable { text, .. })) => add("config.toml", "the configuration, without secrets", text.clone()),
        (Ok(_), None) => add(
            "config.txt",
            "why the configuration is not here",
            "It, or a file that it includes, is not TOML, so what in it is a secret can't be told. The lines that are \
             wrong are in check.txt.\n"
                .to_owned(),
        ),
        (Err(error), None) => add(
            "config.txt",
            "why the configuration is not here",
            format!("can't read {}: {error}\n", path.display()),
        ),
    }
    add(
        "check.txt",
        "what is wrong with it",
        problems(context, toml.is_some(), &environment),
    );
    let message = |stop: &Stop| format!("{}\n", stop.message());
    match &config {
        Ok(config) => {
            secrets.extend(of_accounts(config, path, &environment));
            let status = status::json(context).unwrap_or_else(|stop| message(&stop));
            add("status.json", "`status --json`", status);
            let plan = plan::text(context).unwrap_or_else(|stop| message(&stop));
            add("plan.txt", "`plan`", plan);
            add(
                "file-systems.txt",
                "root, state, staging",
                machine::file_systems(config),
            );
        }
        Err(_) => add(
            "status.txt",
            "why status, plan and ledgers are not here",
            "Where root, state and jobs are, only a valid configuration says; see check.txt.\n"
                .to_owned(),
        ),
    }
    add(
        "log.txt",
        "the last 1000 lines of the service",
        machine::journal(&unit).unwrap_or_else(|why| why),
    );
    add(
        "systemd.txt",
        "systemd and the unit",
        machine::systemd(&unit).unwrap_or_else(|why| why),
    );
    add("system.txt", "kernel, memory, clock", machine::system());
    for job in config
        .iter()
        .flat_map(|config| config.jobs.iter().take(MOST_LEDGERS))
    {
        let state = config
            .as_ref()
            .map_or(Path::new(""), |config| &config.state_dir);
        let text = ledger_end(&Ledger::path(state, &job.name));
        add(
            &format!("ledgers/{}.jsonl", job.name),
            "the end of its ledger",
            text,
        );
    }
    for shown in read.into_iter().flatten() {
        secrets.extend(of_places(&shown.places, path));
        secrets.extend(shown.secrets);
    }
    (pieces, secrets)
}

/// The unit that runs with this config: one of several instances has it in a folder of its name.
fn unit(config: &Path) -> String {
    let below = config.strip_prefix("/etc/elsa-archiver");
    let name = below.ok().and_then(Path::parent).and_then(Path::to_str);
    match name {
        Some(name) if !name.is_empty() => format!("elsa-archiver@{name}.service"),
        _ => "elsa-archiver.service".to_owned(),
    }
}

fn version() -> String {
    let build = match cfg!(debug_assertions) {
        true => "debug",
        false => "release",
    };
    format!(
        "elsa-archiver {} ({build}, {}, {})\n",
        env!("ELSA_ARCHIVER_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

/// What is wrong with the configuration. Of one that is not TOML the values may be anything, so no message is taken that
/// may show one.
fn problems(context: &Context<'_>, is_toml: bool, environment: &Environment) -> String {
    let path = &context.args.config;
    let config = match Config::load(path, context.clock.now()) {
        Ok(config) => config,
        Err(ConfigError::Wrong { problems, .. }) if !is_toml => {
            let line = |problem: &Problem| match &problem.key {
                None => format!("line {}: {}\n", problem.line, problem.message),
                Some(_) => format!("line {}\n", problem.line),
            };
            return problems.as_slice().iter().map(line).collect();
        }
        Err(error) => return format!("{error}\n"),
    };
    let found = Findings::of(&config, path, environment);
    let wrong = [
        found.refused,
        found.refused_of_account,
        found.unusable,
        found.warned,
    ]
    .concat();
    told(path, wrong).map_or_else(|| "nothing\n".to_owned(), |wrong| format!("{wrong}\n"))
}

/// The newest lines of a ledger, in their order.
fn ledger_end(path: &Path) -> String {
    let mut lines = Vec::new();
    let read = newest_first(path, LEDGER_BYTES, |line| {
        lines.push(String::from_utf8_lossy(line).into_owned());
        lines.len() < LEDGER_LINES
    });
    if let Err(error) = read {
        return format!("can't read {}: {error}\n", path.display());
    }
    lines.reverse();
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// The secrets of this process's environment: keys, and what stands before the host of a proxy.
fn of_environment() -> Vec<Secret> {
    let values = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let parts = values.flat_map(|value| {
        let address = value.split_once("://").map(|(_, rest)| rest.to_owned());
        let user = address.as_ref().and_then(|rest| rest.rsplit_once('@'));
        let user = user.map(|(user, _)| user.to_owned());
        let password = user.as_ref().and_then(|user| user.split_once(':'));
        let password = password.map(|(_, password)| password.to_owned());
        match address {
            Some(_) => [user, password].into_iter().flatten().collect(),
            None => vec![value],
        }
    });
    parts
        .filter(|part| part.len() >= SHORTEST_SECRET)
        .map(Secret::new)
        .collect()
}

/// The keys of all accounts, as far as this user can read them; a credential is looked for beside the config too, where
/// the unit has it from.
fn of_accounts(config: &Config, path: &Path, environment: &Environment) -> Vec<Secret> {
    let mut secrets = Vec::new();
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    for configured in config.accounts.values() {
        if let Ok(keys) = configured.keys.read(environment) {
            secrets.extend([keys.access_key, keys.secret_key]);
        }
        for form in configured.keys.forms() {
            let file = match form {
                KeyForm::Credential(name) => beside.join(name),
                KeyForm::File(path) => path.clone(),
                KeyForm::Env(_) => continue,
            };
            let key = fs::read_to_string(file).unwrap_or_default();
            secrets.push(Secret::new(key.trim().to_owned()));
        }
    }
    secrets.retain(|secret| secret.expose().len() >= SHORTEST_SECRET);
    secrets
}

/// What is where the config says that a secret is, whatever it is for and whether the config is valid or not.
fn of_places(places: &[KeyForm], config: &Path) -> Vec<Secret> {
    let beside = config.parent().unwrap_or(Path::new(""));
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let mut texts = Vec::new();
    for place in places {
        match place {
            KeyForm::Credential(name) => {
                let folders = credentials.iter().map(PathBuf::as_path).chain([beside]);
                texts.extend(
                    folders.filter_map(|folder| fs::read_to_string(folder.join(name)).ok()),
                );
            }
            KeyForm::File(path) => texts.extend(fs::read_to_string(path).ok()),
            KeyForm::Env(name) => texts.extend(std::env::var(name).ok()),
        }
    }
    let secrets = texts
        .into_iter()
        .map(|text| Secret::new(text.trim().to_owned()));
    let long = secrets.filter(|secret| secret.expose().len() >= SHORTEST_SECRET);
    long.collect()
}

fn packed(pieces: &[Piece], now: UtcMs) -> std::io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for piece in pieces {
        let mut header = Header::new_gnu();
        header.set_size(piece.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.0 / 1000).unwrap_or_default());
        let path = format!("{FOLDER}/{}", piece.name);
        tar.append_data(&mut header, path, piece.text.as_bytes())?;
    }
    tar.into_inner()
}
