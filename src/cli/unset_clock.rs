//! `run` on a machine that boots before its clock is set: `since` seems to lie ahead, and nothing but time is
//! wrong with the configuration. It waits instead of ending, since systemd does not start it again after exit
//! code 2. Carries *Self-healing* and *Candid*.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::exit::Stop;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::daemon::signals::{hangups, stop_on_signal};
use crate::daemon::systemd;
use crate::domain::span::UtcMs;

/// How often clock and file are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The configuration, once the clock is past each `since`; `None` when a signal came before that.
///
/// # Errors
/// When anything else is wrong with the configuration, then or later.
pub(super) fn config(context: &Context<'_>) -> Result<Option<Config>, Stop> {
    let path = &context.args.config;
    match load(path, context.clock.now())? {
        Loaded::Ready(config) => return Ok(Some(*config)),
        Loaded::Ahead(_) => {}
    }
    Context::block_on(async {
        let stop = CancellationToken::new();
        let signals = stop_on_signal(&stop)
            .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
        // The file is read each second in any case. SIGHUP would end the process, for good: systemd takes that for
        // a clean end.
        let _hangups = hangups()
            .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
        let config = in_time(path, &context.clock, &stop).await;
        signals.abort();
        config
    })
}

async fn in_time(
    path: &Path,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Option<Config>, Stop> {
    let mut is_told = false;
    loop {
        match load(path, clock.now())? {
            Loaded::Ready(config) => {
                if is_told {
                    tracing::info!("the clock is past every `since` now; going on");
                }
                return Ok(Some(*config));
            }
            Loaded::Ahead(what) if !is_told => {
                tracing::warn!(
                    "waiting until this machine's clock is set: {what}. If the clock is right, correct \
                     `since`; the file is read anew until then"
                );
                systemd::waiting(&format!("waiting until the clock is set: {what}"));
                is_told = true;
            }
            Loaded::Ahead(_) => {}
        }
        if systemd::watchdog().is_some() {
            systemd::alive();
        }
        if stop.run_until_cancelled(sleep(LOOK)).await.is_none() {
            return Ok(None);
        }
    }
}

enum Loaded {
    Ready(Box<Config>),
    /// At some later time it is right; what is wrong now.
    Ahead(String),
}

fn load(path: &Path, now: UtcMs) -> Result<Loaded, Stop> {
    let error = match Config::load(path, now) {
        Ok(config) => return Ok(Loaded::Ready(Box::new(config))),
        Err(error) => error,
    };
    match &error {
        ConfigError::Wrong { path, problems } if is_right_later(path) => {
            let first = problems.as_slice().first();
            let first = first.map_or_else(String::new, ToString::to_string);
            Ok(Loaded::Ahead(format!("{}:{first}", path.display())))
        }
        _ => Err(Stop::usage(&error)),
    }
}

fn is_right_later(path: &Path) -> bool {
    Config::load(path, UtcMs(i64::MAX)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const CONFIG: &str = "[[job]]\nname = 'shop'\nproject_key = 'Pb_shop'\nproject_id = 1\n\
                          since = '2026-11-01T00:00:00Z'\n";
    /// 2026-11-22.
    const SET: i64 = 1_795_305_600_000;

    struct Booting {
        dir: tempfile::TempDir,
        time: Arc<AtomicI64>,
        stop: CancellationToken,
    }

    impl Booting {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("config.toml"), CONFIG).unwrap();
            Self {
                dir,
                time: Arc::default(),
                stop: CancellationToken::new(),
            }
        }

        /// What comes of it where `then` happens while it waits.
        async fn after(&self, then: impl FnOnce(&Self)) -> Result<Option<Config>, Stop> {
            let time = Arc::clone(&self.time);
            let clock = Clock::new(move || UtcMs(time.load(Ordering::Relaxed)));
            let path = self.dir.path().join("config.toml");
            let waiting = in_time(&path, &clock, &self.stop);
            let later = async {
                sleep(100 * LOOK).await;
                then(self);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                came = waiting => came,
                () = later => unreachable!(),
            }
        }
    }

    /// Guarantee: Self-healing
    #[tokio::test(start_paused = true)]
    async fn the_daemon_waits_for_a_clock_that_is_not_set_and_goes_on_when_it_is() {
        let booting = Booting::new();
        let begun = tokio::time::Instant::now();
        let set = |booting: &Booting| booting.time.store(SET, Ordering::Relaxed);
        let config = booting.after(set).await.unwrap().unwrap();
        assert_eq!(config.jobs.len(), 1);
        assert!(begun.elapsed() >= 100 * LOOK && begun.elapsed() <= 102 * LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_waits_it_can_be_stopped() {
        let booting = Booting::new();
        let stopped = booting.after(|booting| booting.stop.cancel()).await;
        assert_eq!(stopped, Ok(None));
    }

    /// Guarantee: Candid
    #[tokio::test(start_paused = true)]
    async fn while_it_waits_the_file_is_read_anew_and_what_else_is_wrong_ends_it() {
        let wrong = CONFIG.replace("project_id = 1\n", "");
        for (text, is_right) in [
            (CONFIG.replace("2026-11-01", "1970-01-01"), true),
            (wrong, false),
        ] {
            let booting = Booting::new();
            booting.time.store(1, Ordering::Relaxed);
            let came = booting.after(|booting| {
                fs::write(booting.dir.path().join("config.toml"), &text).unwrap();
            });
            let came = came.await;
            assert_eq!(came.is_ok(), is_right, "{came:?}");
        }
    }
}
