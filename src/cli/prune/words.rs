//! What `prune` says of what would go, and of what stays.

use super::{Decided, Stays};
use crate::cli::print::{bytes, count};
use crate::domain::job::JobName;
use crate::domain::prune::Rule;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::printable;

/// Windows one after another of which the same is to be told.
struct Group {
    from: UtcMs,
    to: UtcMs,
    windows: u64,
    bytes: u64,
    goes: bool,
    why: String,
}

/// What is to become of the windows of a job, in lines.
pub(super) fn listing(job: &JobName, decided: &[Decided], rule: Rule) -> String {
    let mut groups: Vec<Group> = Vec::new();
    for one in decided {
        let (goes, why) = (one.stays.is_none(), words(one, rule));
        match groups.last_mut() {
            Some(last) if last.goes == goes && last.why == why && last.to == one.window.from() => {
                last.to = one.window.to();
                last.windows += 1;
                last.bytes = last.bytes.saturating_add(one.bytes);
            }
            _ => groups.push(Group {
                from: one.window.from(),
                to: one.window.to(),
                windows: 1,
                bytes: one.bytes,
                goes,
                why,
            }),
        }
    }
    let sum = |goes: bool| {
        let of_it = groups.iter().filter(|group| group.goes == goes);
        of_it.fold((0, 0_u64), |(windows, all), group| {
            (windows + group.windows, all.saturating_add(group.bytes))
        })
    };
    let ((go, freed), (stay, _)) = (sum(true), sum(false));
    if go + stay == 0 {
        return format!("{job}: no window with data is that old\n");
    }
    let mut text = match go {
        0 => format!("{job}: {} that old stay\n", count(stay, "window")),
        _ => format!(
            "{job}: {} would go, {}; {} would stay\n",
            count(go, "window"),
            bytes(freed),
            count(stay, "window")
        ),
    };
    for group in &groups {
        text += &format!(
            "  {} {} until {}  {}, {}: {}\n",
            if group.goes { "goes " } else { "stays" },
            group.from,
            group.to,
            count(group.windows, "window"),
            bytes(group.bytes),
            group.why
        );
    }
    text
}

/// Why a window goes or stays.
fn words(decided: &Decided, rule: Rule) -> String {
    let at = match decided.places.as_slice() {
        [] if decided.stays.is_none() => {
            "no place has proven a copy: its data would exist nowhere, as far as is known"
                .to_owned()
        }
        [] => "no place has proven a copy".to_owned(),
        places => format!("proven at {}", places.join(", ")),
    };
    match &decided.stays {
        None => at,
        Some(Stays::Newest) => "the job's newest window".to_owned(),
        Some(Stays::Held(reason)) => format!("held: {}", printable::whole(reason)),
        Some(Stays::Due) => "it is due, or its recheck is still to come".to_owned(),
        Some(Stays::Failing) => "asking for it has failed".to_owned(),
        Some(Stays::Unknown(status)) => {
            let status = match status {
                Status::Truncated => "truncated",
                Status::Unproven => "unproven",
                Status::Complete => "contradicted",
            };
            format!("{status}, and nobody has said that this is known: see `status`")
        }
        Some(Stays::Defect(why)) => format!("not as it was published: {}", printable::whole(why)),
        Some(Stays::Receipts(have)) => {
            format!("{at}; {have} of {} that are needed", rule.need)
        }
    }
}
