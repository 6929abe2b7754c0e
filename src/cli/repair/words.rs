//! What `repair` says of what it would do.

use super::Subject;
use crate::archive::publish::Archived;
use crate::archive::repair::{DAMAGED, Remedy};
use crate::cli::print::count;
use crate::domain::plan::reach;
use crate::domain::span::UtcMs;
use crate::job::repair::Cure;
use crate::ledger::replay::Replay;
use crate::printable;

/// How many folders need what.
pub(super) fn number_of(cures: &[Cure]) -> String {
    let of = |is: &dyn Fn(&Cure) -> bool| cures.iter().filter(|cure| is(cure)).count() as u64;
    let numbers = [
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::RecordMissing))),
            "missing",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::SetAside(_)))),
            "damaged",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::RecordPruned))),
            "without data",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::Tidy { .. }))),
            "whole, with what does not belong to it",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::Leave(_)))),
            "not known",
        ),
        (of(&|cure| matches!(cure, Cure::TakeBack(_))), "back"),
        (
            of(&|cure| matches!(cure, Cure::Unrecorded(..))),
            "in the way",
        ),
    ];
    let told: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number, "folder")))
        .collect();
    told.join(", ")
}

/// What would be done for a folder.
pub(super) fn words(cure: &Cure, subject: Subject<'_>, replay: &Replay, now: UtcMs) -> String {
    let text = match cure {
        Cure::Folder(known, Remedy::RecordMissing) => format!(
            "{}: is missing; {}",
            known.archived.folder,
            due_again(&known.archived, subject, replay, now)
        ),
        Cure::Folder(known, Remedy::SetAside(why)) => format!(
            "{why}; the folder would be moved to {DAMAGED}; {}",
            due_again(&known.archived, subject, replay, now)
        ),
        Cure::Folder(known, Remedy::RecordPruned) => format!(
            "{}: its data are gone, as if they were let go of, and the ledger does not say so; it would be recorded. \
             If a copy has them, bring them back first",
            known.archived.folder
        ),
        Cure::Folder(known, Remedy::Tidy { added, sums }) => {
            let mut what = Vec::new();
            if !added.is_empty() {
                let added: Vec<String> = added
                    .iter()
                    .map(|file| file.display().to_string())
                    .collect();
                what.push(format!("{} would be moved to {DAMAGED}", added.join(", ")));
            }
            if *sums {
                what.push("SHA256SUMS would be written again".to_owned());
            }
            format!("{}: {}", known.archived.folder, what.join("; "))
        }
        Cure::Folder(_, Remedy::Leave(why)) => format!("{why}; nothing would be done with it"),
        Cure::Folder(known, Remedy::Nothing) => known.archived.folder.clone(),
        Cure::TakeBack(known) => {
            format!("{}: is back, and would count again", known.archived.folder)
        }
        Cure::Unrecorded(folder, why) => format!(
            "{folder}: is in the way, since the ledger lacks it and it can't be adopted ({why}); it \
             would be moved to {DAMAGED}"
        ),
    };
    printable::whole(&text).to_string()
}

/// What becomes of a window whose folder is gone.
fn due_again(gone: &Archived, subject: Subject<'_>, replay: &Replay, now: UtcMs) -> String {
    if !replay.is_newest(gone) {
        return "a later folder of its window supersedes it".to_owned();
    }
    let Some(job) = subject.job else {
        return "nothing is asked for a job that the configuration has no more: a copy's folder is the \
                only cure"
            .to_owned();
    };
    let is_past = reach(now, job).is_some_and(|edge| gone.window.to() <= edge);
    match is_past {
        true => {
            "its window would be asked for once more, though the service may have forgotten it; a \
                 copy's folder is the better cure"
                .to_owned()
        }
        false => "its window would be due again".to_owned(),
    }
}
