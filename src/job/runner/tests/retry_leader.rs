//! Where the service is silent, one window of a job asks again for all. An answer, whatever it says, has none wait.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Waker};

use tokio::time::timeout;

use super::*;

/// Longer than anything takes that happens at all.
const LONG: Duration = Duration::from_secs(60);

/// So many windows are in flight when the service dies.
const IN_FLIGHT: u32 = 32;

/// Ends the service once a window is done.
struct Dies(Mutex<Option<Simulator>>);

impl Progress for Dies {
    fn done(&self, _: &Job, _: Window) {
        drop(self.0.lock().unwrap().take());
    }
}

/// A disk that calls `begins` whenever an attempt does.
fn watched(begins: impl Fn() + Send + Sync + 'static) -> Disk {
    Disk::gated(move |step, path| {
        if step == Step::StageZip && !path.exists() {
            begins();
        }
        Ok(())
    })
}

/// Guarantee: Bounded
#[tokio::test]
async fn where_there_is_no_connection_one_window_of_a_job_asks_again_for_all() {
    let now = 40 * HOUR + HOUR / 2;
    let mut rig = Rig::at(now).await;
    rig.max_in_flight = IN_FLIGHT;
    let attempts = Arc::new(AtomicI64::new(0));
    rig.disk = watched({
        let attempts = Arc::clone(&attempts);
        move || {
            attempts.fetch_add(1, Ordering::Relaxed);
        }
    });
    let client = rig.client(Deadlines::default());
    // The one that the client does not know is not asked for anything.
    let other = Simulator::start(Settings::default()).await.unwrap();
    let dies = Dies(Mutex::new(Some(std::mem::replace(&mut rig.service, other))));
    let mut runner = rig.runner_of(job().name, client, Arc::new(dies));
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (1, 39));
    // Each has begun, and three at most have made the two other attempts before it is known that the service is down.
    let attempts = attempts.load(Ordering::Relaxed);
    let in_flight = i64::from(IN_FLIGHT);
    assert!(
        (in_flight..=1 + in_flight + 3 * 2).contains(&attempts),
        "{attempts}"
    );
}

/// Guarantee: Isolated
#[tokio::test]
async fn what_the_service_answers_badly_waits_for_no_window_that_asks_for_all() {
    let too_slow = Fault::Status {
        http: 504,
        error_code: "510".into(),
        message: "Endpoint Timeout".into(),
        retry_after: None,
    };
    for answer in [Fault::Html200, Fault::CorruptZip(60), too_slow] {
        let rig = Rig::at(HOUR + HOUR / 2).await;
        let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
        // Another window of the job, which is not answered.
        let leader = runner.client.retry_leader(&job().name);
        let asking = leader.may_ask(0).await;
        rig.service.set_faults(FaultPlan::script([answer]));
        let outcome = timeout(LONG, cycle(&mut runner)).await.unwrap();
        assert_eq!(outcome.archived, 1);
        drop(asking);
    }
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_is_answered_badly_does_not_go_on_asking_for_all() {
    let mut rig = Rig::at(HOUR + HOUR / 2).await;
    let known = Arc::new(OnceLock::<Arc<Client>>::new());
    let may_lead = Arc::new(Mutex::new(Vec::new()));
    rig.disk = watched({
        let (known, may_lead) = (Arc::clone(&known), Arc::clone(&may_lead));
        move || {
            let leader = known.get().unwrap().retry_leader(&job().name);
            let may_ask = pin!(leader.may_ask(0));
            let polled = may_ask.poll(&mut Context::from_waker(Waker::noop()));
            may_lead.lock().unwrap().push(polled.is_ready());
        }
    });
    let client = rig.client(Deadlines::default());
    known.set(Arc::clone(&client)).unwrap();
    let mut runner = rig.runner_of(job().name, client, Arc::new(NoProgress));
    rig.service
        .set_faults(FaultPlan::script([Fault::Reset, Fault::Html200]));
    assert_eq!(cycle(&mut runner).await.archived, 1);
    // It leads after silence alone.
    assert_eq!(*may_lead.lock().unwrap(), [true, false, true]);
}
