//! When to look. A firing of the scheduler wakes jobs and means nothing more; what is due, the
//! ledger says.
//!
//! tokio-cron-scheduler looks at each of its entries twice a second, so jobs of one schedule share an
//! entry.
//! tokio-cron-scheduler reads a schedule with the UTC offset that was in force when it was added.
//! So the offset is polled. When the zone's clock changes, a new scheduler replaces the old one. It
//! also waits for a time of day, once it has computed one: so when the machine's clock is set, a
//! new one takes over too, or a clock set back by a day would mean a day without a look. The jobs
//! are woken once at such a moment: a local time that was skipped, or that fell between the change
//! and its being noticed, is made up for, and a look too many does no harm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::FixedOffset;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_cron_scheduler::{Job as ScheduledJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::job::Job;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;

/// How often the zone's offset and the machine's clock are looked at.
const POLL: Duration = Duration::from_secs(5);

/// A clock that has gone so much further than time has, or so much less far, in milliseconds, was
/// set (or the machine slept); a scheduler bears with less.
const JUMP_MS: i64 = 30_000;

/// A job and what wakes it.
pub(super) struct Wakes {
    /// The job.
    pub job: Job,
    /// Wakes its cycle; several calls while one is running make one more.
    pub wake: Arc<Notify>,
}

/// The schedules of all jobs.
pub(super) struct Triggers {
    scheduler: JobScheduler,
    wakes: Vec<Wakes>,
    zone: Zone,
    clock: Clock,
    offset_seconds: i32,
}

impl Triggers {
    /// Starts the schedules of `wakes` in the local time of `zone`.
    pub(super) async fn start(
        wakes: Vec<Wakes>,
        zone: Zone,
        clock: Clock,
    ) -> Result<Self, JobSchedulerError> {
        let offset_seconds = zone.offset_seconds(clock.now());
        let scheduler = schedule(&wakes, offset_seconds).await?;
        Ok(Self {
            scheduler,
            wakes,
            zone,
            clock,
            offset_seconds,
        })
    }

    /// Wakes the jobs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.follow_clock()).await;
        self.stop().await;
    }

    /// Watches the zone's offset and the machine's clock, for ever.
    async fn follow_clock(&mut self) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = (self.clock.now(), Instant::now());
        loop {
            poll.tick().await;
            let (now, at) = (self.clock.now(), Instant::now());
            let jumped_ms = jump(last.0, now, at - last.1);
            last = (now, at);
            let offset_seconds = self.zone.offset_seconds(now);
            if offset_seconds == self.offset_seconds && jumped_ms.abs() < JUMP_MS {
                continue;
            }
            self.offset_seconds = offset_seconds;
            tracing::info!(
                zone = %self.zone,
                offset_seconds,
                set_by_s = jumped_ms / 1000,
                "the local clock has changed"
            );
            if let Err(error) = self.schedule_anew().await {
                tracing::error!("can't add the schedules anew: {error}; trying again");
                // Not the real offset, so the next poll tries again.
                self.offset_seconds = i32::MIN;
            }
            for Wakes { wake, .. } in &self.wakes {
                wake.notify_one();
            }
        }
    }

    async fn schedule_anew(&mut self) -> Result<(), JobSchedulerError> {
        let new = schedule(&self.wakes, self.offset_seconds).await?;
        self.stop().await;
        self.scheduler = new;
        Ok(())
    }

    /// Stops all schedules.
    async fn stop(&mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!("the scheduler did not stop: {error}");
        }
    }
}

/// How much further than `passed` the clock has gone, in milliseconds; negative when less far.
fn jump(before: UtcMs, now: UtcMs, passed: Duration) -> i64 {
    let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    now.0.saturating_sub(before.0).saturating_sub(passed)
}

/// Starts the schedules of `wakes` at a fixed offset.
async fn schedule(wakes: &[Wakes], offset_seconds: i32) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    // Offsets of less than a day always fit.
    let offset = FixedOffset::east_opt(offset_seconds).ok_or(JobSchedulerError::ParseSchedule)?;
    for (schedule, wakes) in by_schedule(wakes) {
        let firing = move |_, _| wakes.iter().for_each(|wake| wake.notify_one());
        scheduler
            .add(ScheduledJob::new_tz(schedule, offset, firing)?)
            .await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// What each schedule wakes.
fn by_schedule(wakes: &[Wakes]) -> BTreeMap<&str, Vec<Arc<Notify>>> {
    let mut by_schedule: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Wakes { job, wake } in wakes {
        let same = by_schedule.entry(job.schedule.as_str()).or_default();
        same.push(Arc::clone(wake));
    }
    by_schedule
}

#[cfg(test)]
mod tests {
    use crate::domain::span::Millis;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;
    use jiff::civil::Time;
    use jiff::tz::{Offset, TimeZone};
    use tokio::time::timeout;

    use super::*;
    use crate::domain::plan::tests::job;
    use crate::domain::schedule::Schedule;

    const DAY_MS: i64 = 86_400_000;
    /// Zones whose clocks change, with what is odd about them.
    const ZONES: [&str; 4] = [
        "America/New_York",
        // Half an hour of summer time.
        "Australia/Lord_Howe",
        // A quarter of an hour off everybody else, and changing the other way round.
        "Pacific/Chatham",
        // A day without midnight.
        "Asia/Beirut",
    ];
    /// 2026-01-01 UTC.
    const BEGIN: UtcMs = UtcMs(1_767_225_600_000);

    /// Its next two changes: into summer time and out of it.
    fn changes(zone: &Zone) -> [UtcMs; 2] {
        let mut changes = zone.tz().following(BEGIN.timestamp());
        [(); 2].map(|()| changes.next().unwrap().timestamp().into())
    }

    struct Watched {
        time: Arc<AtomicI64>,
        wake: Arc<Notify>,
        triggers: Triggers,
    }

    impl Watched {
        async fn at(time: UtcMs, zone: &Zone) -> Self {
            Self::with("0 3 * * *", time, zone).await
        }

        async fn with(schedule: &str, time: UtcMs, zone: &Zone) -> Self {
            let time = Arc::new(AtomicI64::new(time.0));
            let clock = Clock::new({
                let time = Arc::clone(&time);
                move || UtcMs(time.load(Ordering::Relaxed))
            });
            let wake = Arc::new(Notify::new());
            let job = Job {
                schedule: Schedule::parse(schedule).unwrap(),
                ..job()
            };
            let wakes = vec![Wakes {
                job,
                wake: Arc::clone(&wake),
            }];
            let triggers = Triggers::start(wakes, zone.clone(), clock).await.unwrap();
            Self {
                time,
                wake,
                triggers,
            }
        }

        /// Watches while the clock goes on from `time` as time does; whether the job was woken.
        async fn is_woken_after(&mut self, time: UtcMs) -> bool {
            self.time.store(time.0, Ordering::Relaxed);
            let _ = timeout(3 * POLL, self.triggers.follow_clock()).await;
            timeout(POLL, self.wake.notified()).await.is_ok()
        }

        /// The time of day, at an offset, at which the scheduler will fire next.
        async fn fires_at(&mut self, offset_seconds: i32) -> Time {
            let now = || Timestamp::now().as_second();
            let offset = Offset::from_seconds(offset_seconds).unwrap();
            loop {
                // Told in whole seconds from now on.
                let before = now();
                let left = self.triggers.scheduler.time_till_next_job().await;
                if now() == before {
                    let left = left.unwrap().unwrap().as_secs();
                    let next = Timestamp::from_second(before + left.cast_signed()).unwrap();
                    return offset.to_datetime(next).time();
                }
            }
        }

        /// The same, where the clock is set to `time` while it is watched.
        async fn is_woken_when_set_to(&mut self, time: UtcMs) -> bool {
            let clock = Arc::clone(&self.time);
            let set = async {
                tokio::time::sleep(POLL + POLL / 2).await;
                clock.store(time.0, Ordering::Relaxed);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = self.triggers.follow_clock() => {}
                () = set => {}
                () = tokio::time::sleep(3 * POLL) => {}
            }
            timeout(POLL, self.wake.notified()).await.is_ok()
        }
    }

    #[tokio::test]
    async fn jobs_of_one_schedule_share_an_entry_that_wakes_each_of_them() {
        let schedules = ["* * * * * *", "0 3 * * *", "* * * * * *"];
        let wakes = schedules.map(|schedule| Wakes {
            job: Job {
                schedule: Schedule::parse(schedule).unwrap(),
                ..job()
            },
            wake: Arc::default(),
        });
        let sizes = by_schedule(&wakes).into_iter();
        let sizes: Vec<_> = sizes
            .map(|(schedule, wakes)| (schedule, wakes.len()))
            .collect();
        assert_eq!(sizes, [("* * * * * *", 2), ("0 0 3 * * *", 1)]);
        let [first, _, third] = [0, 1, 2].map(|at| Arc::clone(&wakes[at].wake));
        let mut scheduler = schedule(&wakes, 0).await.unwrap();
        first.notified().await;
        third.notified().await;
        scheduler.shutdown().await.unwrap();
    }

    /// Guarantee: Exactly once
    /// Guarantee: Self-healing
    #[tokio::test(start_paused = true)]
    async fn when_the_local_clock_changes_schedules_follow_and_every_job_looks_once() {
        for name in ZONES {
            let zone = Zone::new(TimeZone::get(name).unwrap());
            for at in changes(&zone) {
                let before = zone.offset_seconds(at.plus(Millis(-1)));
                let mut watched = Watched::at(at.plus(Millis(-1)), &zone).await;
                assert!(!watched.is_woken_after(at.plus(Millis(-1))).await, "{name}");
                assert_eq!(watched.triggers.offset_seconds, before, "{name}");
                assert!(watched.is_woken_after(at).await, "{name}");
                assert_ne!(watched.triggers.offset_seconds, before, "{name}");
                assert!(
                    !watched.is_woken_after(at.plus(Millis(5000))).await,
                    "{name}"
                );
            }
        }
    }

    /// Guarantee: Self-healing
    #[tokio::test(start_paused = true)]
    async fn after_a_change_schedules_fire_at_the_same_local_time_as_before() {
        for name in ZONES {
            let zone = Zone::new(TimeZone::get(name).unwrap());
            for at in changes(&zone) {
                let [before, after] =
                    [-1, DAY_MS].map(|ms| zone.offset_seconds(at.plus(Millis(ms))));
                // A time that the change skips or brings twice.
                let odd_ms = (i64::from(before) + i64::from(after)) * 500;
                let odd = Offset::UTC
                    .to_datetime(at.plus(Millis(odd_ms)).timestamp())
                    .time();
                for time in [Time::constant(3, 0, 0, 0), odd] {
                    let schedule = format!("{} {} * * *", time.minute(), time.hour());
                    let mut watched = Watched::with(&schedule, at.plus(Millis(-1)), &zone).await;
                    assert_eq!(watched.fires_at(before).await, time, "{name}");
                    // One look, which stands for a time that is skipped. One that comes twice comes
                    // at either offset.
                    assert!(watched.is_woken_after(at).await, "{name}");
                    assert_eq!(watched.fires_at(after).await, time, "{name}");
                }
            }
        }
    }

    /// Guarantee: Exactly once
    /// Guarantee: Self-healing
    #[tokio::test(start_paused = true)]
    async fn when_the_machine_s_clock_is_set_schedules_begin_anew_and_every_job_looks() {
        for by_ms in [-DAY_MS, -60_000, 60_000, 400 * DAY_MS] {
            let mut watched = Watched::at(BEGIN, &Zone::utc()).await;
            assert!(!watched.is_woken_when_set_to(BEGIN).await);
            assert!(
                watched
                    .is_woken_when_set_to(BEGIN.plus(Millis(by_ms)))
                    .await,
                "{by_ms}"
            );
            // What NTP corrects bit by bit is none.
            assert!(
                !watched
                    .is_woken_when_set_to(BEGIN.plus(Millis(by_ms + 900)))
                    .await
            );
        }
    }
}
