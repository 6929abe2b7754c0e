//! Runs the built-in simulator to play with: prints its keys and the tables of a configuration
//! that reads from it, then serves until Ctrl-C.
//!
//! `cargo run --example simulator -- --per-hour 5000 --faults 0.2`

use std::error::Error;

use clap::Parser;
use elsa_archiver::domain::span::{Millis, Span};
use elsa_archiver::simulator::{
    Dialect, Fault, FaultPlan, KeyPair, Order, Project, ServiceClock, Settings, Simulator,
};

const HOUR_MS: i64 = 3_600_000;

#[derive(Parser)]
struct Options {
    /// Logs of an hour, from a day ago to a day ahead
    #[arg(long, default_value_t = 1000)]
    per_hour: usize,
    /// Average size of a log's body, in bytes
    #[arg(long, default_value_t = 200)]
    body_size: usize,
    /// Probability of a spoilt answer, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    faults: f64,
    /// Most logs of an answer, whatever is asked for
    #[arg(long)]
    hidden_cap: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    // Whole hours, so that the printed `since` is where the logs begin.
    let now = ServiceClock::Skewed(Millis::ZERO).now();
    let hour = now.plus(Millis(-now.0.rem_euclid(HOUR_MS)));
    let span = Span::new(
        hour.plus(Millis(-24 * HOUR_MS)),
        hour.plus(Millis(24 * HOUR_MS)),
    )
    .ok_or("no time")?;
    let count = options.per_hour.saturating_mul(48);
    let project = Project::uniform("P0001_demo", 1, 1, span, count);
    let faults = vec![
        Fault::Status {
            http: 429,
            error_code: "410".into(),
            message: "Throttle Limited".into(),
            retry_after: Some("1".into()),
        },
        Fault::Html200,
        Fault::CutAfter(1000),
        Fault::Reset,
        Fault::CorruptZip(100),
    ];
    let simulator = Simulator::start(Settings {
        projects: vec![project.with_body_size(options.body_size)],
        dialect: Dialect {
            order: Order::Shuffled { seed: 1 },
            hidden_cap: options.hidden_cap,
            ..Dialect::default()
        },
        faults: FaultPlan::random(1, options.faults, faults),
        ..Settings::default()
    })
    .await?;

    let keys = KeyPair::default();
    println!("# NCLOUD_ACCESS_KEY={}", keys.access_key);
    println!("# NCLOUD_SECRET_KEY={}", keys.secret_key);
    println!("[account.default]");
    println!("endpoint = \"{}\"", simulator.endpoint());
    println!("[[job]]");
    println!("name = \"demo\"");
    println!("account = \"default\"");
    println!("project_key = \"P0001_demo\"");
    println!("project_id = 1");
    println!("since = \"{}\"", span.from());
    println!("# until Ctrl-C");

    tokio::signal::ctrl_c().await?;
    let journal = simulator.journal();
    let records: u64 = journal.iter().map(|entry| entry.records).sum();
    println!("# {} requests, {records} records", journal.len());
    simulator.shutdown().await;
    Ok(())
}
