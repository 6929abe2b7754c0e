//! Examples for the end of each command's help. No line is longer than a terminal of 80 columns.

/// Of the program itself: the first steps, in their order.
pub(super) const PROGRAM: &str = "\
Examples:
  elsa-archiver demo                 the whole thing, no account needed
  sudo elsa-archiver init            writes a config and says what comes next
  elsa-archiver check --live         is the config right? does ELSA answer?
  elsa-archiver status               what is archived, and what is not

Exit codes: 0 done; 1 something is not archived, not intact or not reachable; 2 usage or configuration; 3 another \
instance holds the state directory; 4 damage: bytes, names or chain are not what was archived.";

pub(super) const RUN: &str = "\
Examples:
  systemctl start elsa-archiver      as a service, which is how it is meant
  elsa-archiver -v run               in this terminal, each request in the log
  systemctl reload elsa-archiver     the config and its keys are read anew";

pub(super) const ONCE: &str = "\
Examples:
  elsa-archiver once                 all jobs
  elsa-archiver once --job shop-api --job payments";

pub(super) const PLAN: &str = "\
Examples:
  elsa-archiver plan                 what is due, and about how many requests
  elsa-archiver plan --job shop-api --json";

pub(super) const BACKFILL: &str = "\
Examples:
  elsa-archiver backfill --job shop-api --from 2026-10-01 --to 2026-11-01
  elsa-archiver backfill --job shop-api --again \\
      --from 2026-11-22T00:00:00+09:00 --to 2026-11-22T03:00:00+09:00";

pub(super) const STATUS: &str = "\
Examples:
  elsa-archiver status               exit code 1 where something needs a look
  elsa-archiver status --json        for programs
  elsa-archiver status --ack shop-api    what is lost of this job is known";

pub(super) const VERIFY: &str = "\
Examples:
  elsa-archiver verify               the whole archive against its ledgers
  elsa-archiver verify --job shop-api --jobs 1    one job, one folder at a time
  elsa-archiver verify /mnt/copy     a copy anywhere, without config
  elsa-archiver verify s3://bucket/elsa    a copy in object storage
  elsa-archiver verify --deep        what is in the zips of `store = \"zip\"` too
  elsa-archiver verify /mnt/copy --receipt vault-7 --out vault-7.receipt";

pub(super) const CAT: &str = "\
Examples:
  elsa-archiver cat --job shop-api --from 2026-11-22 --to 2026-11-23 | jq .body
  elsa-archiver cat --job shop-api --where logLevel=ERROR --output out.jsonl \\
      --from 2026-11-22T09:00:00+09:00 --to 2026-11-22T10:30:00+09:00";

pub(super) const FILES: &str = "\
Examples:
  elsa-archiver files --job shop-api --from 2026-11-22 --to 2026-11-23 -0 \\
      | xargs -0 rg timeout";

pub(super) const REPAIR: &str = "\
Examples:
  elsa-archiver repair               shows what it would do
  elsa-archiver repair --confirm     does it";

pub(super) const PRUNE: &str = "\
Examples:
  elsa-archiver prune --keep 400d    what would go, what stays, and why
  elsa-archiver prune --keep 400d --need 2 --confirm
  elsa-archiver prune --before 2026-01-01 --job shop-api";

pub(super) const HOLD: &str = "\
Examples:
  elsa-archiver hold --job shop-api --reason 'case 2026-17' \\
      --from 2026-03-01 --to 2026-04-01";

pub(super) const RELEASE: &str = "\
Examples:
  elsa-archiver release --job shop-api --from 2026-03-01 --to 2026-04-01";

pub(super) const RECEIPT: &str = "\
Examples:
  elsa-archiver verify /mnt/copy --receipt vault-7 --out vault-7.receipt
  elsa-archiver receipt add vault-7.receipt
  ssh vault elsa-archiver verify /srv/elsa --receipt vault-7 \\
      | elsa-archiver receipt add -
  elsa-archiver receipt list";

pub(super) const HEAD: &str = "\
Examples:
  elsa-archiver head
  elsa-archiver head now
  elsa-archiver verify --head /media/safe/000017.head
  elsa-archiver verify --head \"$(sha256sum < 000017.head | cut -c1-64)\"";

pub(super) const EVIDENCE: &str = "\
Examples:
  elsa-archiver evidence --job shop-api --from 2026-01-01 --to 2027-01-01 \\
      --out shop-api-2026.tar
  tar xf shop-api-2026.tar && cd evidence && sh -e VERIFY.txt";

pub(super) const KEYGEN: &str = "\
Examples:
  sudo elsa-archiver keygen
  sudo elsa-archiver keygen --out /etc/elsa-archiver/signing-key.2";

pub(super) const REPORT: &str = "\
Examples:
  elsa-archiver report --html coverage.html
  elsa-archiver report --html coverage.html --lang ko";

pub(super) const CHECK: &str = "\
Examples:
  elsa-archiver check                after each change of the config
  elsa-archiver --config ./new.toml check
  elsa-archiver check --live         asks the service too
  elsa-archiver check --bucket s3://bucket/elsa    does it keep its word?";

pub(super) const DEMO: &str = "\
Examples:
  elsa-archiver demo                 in a new temporary folder
  elsa-archiver demo --dir ./demo";

pub(super) const INIT: &str = "\
Examples:
  sudo elsa-archiver init            /etc/elsa-archiver/config.toml
  elsa-archiver init --dir ~/elsa    for a try without root";

pub(super) const SUPPORT: &str = "\
Examples:
  sudo elsa-archiver support         as root, so that log and state can be read
  elsa-archiver support --out /tmp/elsa.tar";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        let all = [
            PROGRAM, RUN, ONCE, PLAN, BACKFILL, STATUS, VERIFY, CAT, FILES, REPAIR, CHECK, DEMO,
            INIT, SUPPORT, PRUNE, HOLD, RELEASE, RECEIPT, HEAD, KEYGEN, EVIDENCE,
        ];
        for line in all.iter().flat_map(|examples| examples.lines()) {
            assert!(line.len() < 80 || !line.starts_with(' '), "{line}");
        }
    }
}
