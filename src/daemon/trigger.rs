//! When to look. A firing of the scheduler wakes a job and means nothing more; what is due, the
//! ledger says.
//!
//! tokio-cron-scheduler reads a schedule with the UTC offset that was in force when it was added.
//! So the offset is watched, and when the zone's clock changes a new scheduler takes over. The
//! jobs are woken once at that moment: a local time that the change skipped, or that fell between
//! the change and its being noticed, is made up for, and a look too many does no harm.

use std::sync::Arc;
use std::time::Duration;

use chrono::FixedOffset;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_cron_scheduler::{Job as ScheduledJob, JobScheduler, JobSchedulerError};

use crate::clock::Clock;
use crate::domain::job::Job;
use crate::domain::window::Zone;

/// How often the zone's offset is looked at.
const OFFSET_POLL: Duration = Duration::from_secs(5);

/// A job and what wakes it.
pub struct Wakes {
    /// The job.
    pub job: Job,
    /// Wakes its cycle; several calls while one is running make one more.
    pub wake: Arc<Notify>,
}

/// The schedules of all jobs.
pub struct Triggers {
    scheduler: JobScheduler,
    wakes: Vec<Wakes>,
    zone: Zone,
    clock: Clock,
    offset_seconds: i32,
}

impl Triggers {
    /// Starts the schedules of `wakes` in the local time of `zone`.
    pub async fn start(
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

    /// Watches the zone's offset, for ever.
    pub async fn follow_zone(&mut self) {
        let mut poll = interval(OFFSET_POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            let offset_seconds = self.zone.offset_seconds(self.clock.now());
            if offset_seconds == self.offset_seconds {
                continue;
            }
            self.offset_seconds = offset_seconds;
            tracing::info!(zone = %self.zone, offset_seconds, "the local clock has changed");
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
    pub async fn stop(&mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!("the scheduler did not stop: {error}");
        }
    }
}

/// Starts the schedules of `wakes` at a fixed offset.
async fn schedule(wakes: &[Wakes], offset_seconds: i32) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    // Offsets of less than a day always fit.
    let offset = FixedOffset::east_opt(offset_seconds).ok_or(JobSchedulerError::ParseSchedule)?;
    for Wakes { job, wake } in wakes {
        let wake = Arc::clone(wake);
        let firing = move |_, _| wake.notify_one();
        scheduler
            .add(ScheduledJob::new_tz(job.schedule.as_str(), offset, firing)?)
            .await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::tz::TimeZone;
    use tokio::time::timeout;

    use super::*;
    use crate::domain::plan::tests::job;
    use crate::domain::span::Ms;

    /// 2026-03-08 02:00 in New York becomes 03:00.
    const CHANGE: i64 = 1_772_953_200_000;

    #[tokio::test(start_paused = true)]
    async fn when_the_local_clock_changes_schedules_follow_and_every_job_looks_once() {
        let time = Arc::new(AtomicI64::new(CHANGE - 1));
        let clock = Clock::new({
            let time = Arc::clone(&time);
            move || Ms(time.load(Ordering::Relaxed))
        });
        let zone = Zone::new(TimeZone::get("America/New_York").unwrap());
        let wake = Arc::new(Notify::new());
        let wakes = vec![Wakes {
            job: job(),
            wake: Arc::clone(&wake),
        }];
        let mut triggers = Triggers::start(wakes, zone, clock).await.unwrap();
        assert_eq!(triggers.offset_seconds, -5 * 3600);

        let follow = async |triggers: &mut Triggers| {
            let _ = timeout(3 * OFFSET_POLL, triggers.follow_zone()).await;
        };
        follow(&mut triggers).await;
        assert_eq!(triggers.offset_seconds, -5 * 3600);

        time.store(CHANGE, Ordering::Relaxed);
        follow(&mut triggers).await;
        assert_eq!(triggers.offset_seconds, -4 * 3600);
        timeout(OFFSET_POLL, wake.notified()).await.unwrap();
    }
}
