//! `demo`: the whole program against the simulator, over real HTTP on loopback. No account, no
//! other network; in the end the archive is compared with what the simulator knows to be true.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::{Args, Command};
use super::exit::Stop;
use super::print::{bytes, count, grouped, print};
use super::progress::Bars;
use super::run::{all_once, summary};
use super::session::Session;
use super::{Context, status, verify};
use crate::archive::identity::FOLDER;
use crate::archive::store::entries;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::signals::stop_on_signal;
use crate::domain::plan::plan;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::{make_plain_folder, write_private};
use crate::job::{Mode, Progress};
use crate::ledger::Ledger;
use crate::printable::shell_word;
use crate::simulator::{KeyPair, Project, Settings, Simulator};

const HOUR: Millis = Millis::from_hours(1);
const DAYS: i64 = 2;
/// The default `settle` of a job.
const SETTLE: Millis = Millis::from_mins(10);

/// Runs the demo in `dir`, or in a new temporary folder.
pub(super) fn demo(context: &Context<'_>, dir: Option<&Path>) -> Result<(), Stop> {
    let dir = prepare(dir)?;
    let now = context.clock.now();
    // The newest window has settled, whatever the minute.
    let hours = now.minus(SETTLE).0.div_euclid(HOUR.0);
    let begin = UtcMs((hours - DAYS * 24) * HOUR.0);
    Context::block_on(async {
        let settings = Settings {
            projects: world(begin),
            ..Settings::default()
        };
        let simulator = Simulator::start(settings)
            .await
            .map_err(|error| Stop::failed(format!("can't start the simulator: {error}")))?;
        print(&format!(
            "A simulated ELSA listens on {}; everything else is the real program.\n",
            simulator.endpoint()
        ))?;
        let path = write_config(&dir, &simulator.endpoint(), begin)
            .map_err(|error| Stop::failed(format!("can't write to {}: {error}", dir.display())))?;
        let args = Args {
            config: path,
            log_format: context.args.log_format,
            verbose: 0,
            quiet: 0,
            command: Command::Status {
                json: false,
                ack: Vec::new(),
            },
        };
        let inner = Context {
            args: &args,
            terminal: context.terminal,
            // It stands still, so that no window settles during the demo.
            clock: Clock::new(move || now),
        };
        let done = show(&inner, &simulator, &dir).await;
        simulator.shutdown().await;
        done
    })
}

async fn show(context: &Context<'_>, simulator: &Simulator, dir: &Path) -> Result<(), Stop> {
    let config = context.config()?;
    heading("Archive everything that is due (`once`)")?;
    let bars = Bars::new(context.terminal);
    let progress: Arc<dyn Progress> = bars;
    let (session, ..) = Session::open(context, &config, &config.jobs, &progress)?;
    let stop = CancellationToken::new();
    let signals = stop_on_signal(&stop)
        .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
    let outcomes = all_once(session.runners, plan, Mode::Once, &stop).await;
    signals.abort();
    context.terminal.clear();
    print(&summary(&outcomes))?;
    if stop.is_cancelled() {
        return Err(Stop::failed("stopped by a signal"));
    }

    heading("What is on disk now")?;
    print(&tree(&config.archive.root))?;
    heading("What it covers (`status`)")?;
    // Its exit code is about this second: a window may have settled since.
    let _ = status::status(context, false, &[]);
    heading("Is all of it intact (`verify`)")?;
    let verified = verify::verify(context, verify::Asked::of_all());
    heading("Compared with what the simulator knows to be true")?;
    let agrees = compare(simulator, &config)?;
    print(&next_steps(dir))?;
    verified?;
    match agrees && outcomes.iter().all(|(_, outcome)| outcome.is_complete()) {
        true => Ok(()),
        false => Err(Stop::failed(
            "the demo's archive is not what it should be; that is a bug",
        )),
    }
}

/// A busy project, one with a rush in the middle of the day, and one without any log.
fn world(begin: UtcMs) -> Vec<Project> {
    let whole = Span::new(begin, begin.plus(HOUR.times(DAYS * 24 + 1)));
    let busy =
        |key: &str, id, seed, count| whole.map(|span| Project::uniform(key, id, seed, span, count));
    let shop = busy("Pdemo_shop-api", 101, 1, 60_000);
    let payments = busy("Pdemo_payments", 102, 2, 4_000)
        .map(|quiet| quiet.with_spike(begin.plus(HOUR.times(30)), 3_000, HOUR.part(0.5)));
    [
        shop,
        payments,
        Some(Project::silent("Pdemo_night-batch", 103)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn prepare(dir: Option<&Path>) -> Result<PathBuf, Stop> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| {
        Stop::failed(format!("can't use {} for the demo: {why}", path.display()))
    };
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("elsa-archiver-demo-{}", std::process::id())),
    };
    make_plain_folder(&dir).map_err(|error| wrong(&dir, &error))?;
    let dir = dir.canonicalize().map_err(|error| wrong(&dir, &error))?;
    match entries(&dir) {
        Ok(found) if found.is_empty() => Ok(dir),
        Ok(_) => Err(wrong(&dir, &"it is not empty; name a new folder")),
        Err(error) => Err(wrong(&dir, &error)),
    }
}

fn write_config(dir: &Path, endpoint: &str, since: UtcMs) -> std::io::Result<PathBuf> {
    let keys = KeyPair::default();
    for (name, key) in [
        ("access-key", &keys.access_key),
        ("secret-key", &keys.secret_key),
    ] {
        write_private(&dir.join(name), key)?;
    }
    let inside = |name: &str| toml_string(&dir.join(name).display().to_string());
    let mut text = format!(
        "# Written by `elsa-archiver demo`; the simulator it names is gone when the demo ends.\n\
         [account.default]\nendpoint = {}\naccess_key = {{ file = {} }}\nsecret_key = {{ file = {} }}\n\
         max_in_flight = 4\nrequests_per_second = 200.0\n\n[archive]\nroot = {}\n\
         min_free_space = \"64MiB\"\n\n[state]\ndir = {}\n\n[defaults]\nsince = \"{since}\"\n",
        toml_string(endpoint),
        inside("access-key"),
        inside("secret-key"),
        inside("archive"),
        inside("state"),
    );
    for (name, id, format) in [
        ("shop-api", 101, "json"),
        ("payments", 102, "csv"),
        ("night-batch", 103, "json"),
    ] {
        text += &format!(
            "\n[[job]]\nname = \"{name}\"\nproject_key = \"Pdemo_{name}\"\nproject_id = {id}\n\
             format = \"{format}\"\n"
        );
    }
    let path = dir.join("config.toml");
    write_private(&path, &text)?;
    Ok(path)
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn heading(text: &str) -> Result<(), Stop> {
    print(&format!("\n== {text}\n"))
}

/// Dates with their number of windows, and the newest window in full.
fn tree(root: &Path) -> String {
    let sorted = |path: &Path| {
        let mut names = entries(path).unwrap_or_default();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    };
    let mut text = format!("{}\n", root.display());
    for job in sorted(root).into_iter().filter(|name| name != FOLDER) {
        text += &format!("  {job}/\n");
        let dates = sorted(&root.join(&job));
        for date in &dates {
            let windows = sorted(&root.join(&job).join(date));
            text += &format!("    {date}/  {}\n", count(windows.len() as u64, "window"));
        }
        let Some(date) = dates.last() else { continue };
        let Some(window) = sorted(&root.join(&job).join(date)).pop() else {
            continue;
        };
        text += &format!("      {window}/\n");
        let mut below = vec![(root.join(&job).join(date).join(&window), 4)];
        while let Some((folder, depth)) = below.pop() {
            for name in sorted(&folder) {
                let path = folder.join(&name);
                let indent = "  ".repeat(depth);
                if path.is_dir() {
                    text += &format!("{indent}{name}/\n");
                    below.push((path, depth + 1));
                } else {
                    let size = path.metadata().map_or(0, |found| found.len());
                    text += &format!("{indent}{name}  {}\n", bytes(size));
                }
            }
        }
    }
    text
}

fn compare(simulator: &Simulator, config: &Config) -> Result<bool, Stop> {
    let mut agrees = true;
    for job in &config.jobs {
        let replay = Ledger::read(&config.state_dir, &job.name, |_| {})
            .map_err(|error| Stop::failed(error.to_string()))?;
        let project = simulator.project(&job.project_key);
        let truth: usize = replay
            .coverage
            .spans()
            .map(|span| project.map_or(0, |project| project.truth(span).count()))
            .sum();
        let same = truth as u64 == replay.records;
        agrees &= same;
        print(&format!(
            "{}: {} logged, {} archived{}\n",
            job.name,
            grouped(truth as u64),
            grouped(replay.records),
            if same { "" } else { ": THEY DIFFER" }
        ))?;
    }
    Ok(agrees)
}

fn next_steps(dir: &Path) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("elsa-archiver"));
    let program = shell_word(program);
    let [archive, config] = ["archive", "config.toml"].map(|name| shell_word(dir.join(name)));
    let credentials = ["access-key", "secret-key"]
        .map(|key| format!("-p LoadCredential={key}:/etc/elsa-archiver/{key}"))
        .join(" ");
    format!(
        "\nThe demo's archive stays in {}. Try:\n\
         \x20 {program} verify {archive}   # a copy, from its manifests alone\n\
         \x20 (cd {archive} && for sums in */*/*--*/SHA256SUMS; do (cd \"${{sums%/*}}\" && sha256sum -c \
         --quiet SHA256SUMS) || echo \"NOT INTACT: $sums\"; done)\n\
         \x20 {program} --config {config} status --json\n\
         For your own projects: `sudo {program} init` writes /etc/elsa-archiver/config.toml. Once it is edited, these \
         need no keys:\n\
         \x20 {program} check && {program} plan\n\
         With the keys in /etc/elsa-archiver/access-key and secret-key, of mode 600, this asks the service:\n\
         \x20 systemd-run --wait --pipe --collect {credentials} {program} check --live\n",
        dir.display()
    )
}
