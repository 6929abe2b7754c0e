//! What an auditor's pack proves: `VERIFY.txt`, each claim with the command of a common tool that proves it. Pure.
//!
//! A line that begins with `#` tells; any other is one command of a shell, which ends with 0 where its claim holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::coverage::Coverage;
use crate::domain::job::JobName;
use crate::domain::signing::{NAMESPACE, PRINCIPAL, PublicKey};
use crate::domain::span::Span;

/// What a pack holds.
#[derive(Debug)]
pub(crate) struct Pack<'a> {
    /// The archive's id.
    pub(crate) archive: String,
    /// The job.
    pub(crate) job: &'a JobName,
    /// The span.
    pub(crate) span: Span,
    /// How many folders of it there are, superseded ones too.
    pub(crate) folders: usize,
    /// What they hold, as a whole.
    pub(crate) covered: Coverage,
    /// Of each status, as the manifests have it, how many windows: of each its newest folder.
    pub(crate) statuses: BTreeMap<String, usize>,
    /// Whether their data are there.
    pub(crate) has_data: bool,
    /// The name of the newest head; `None` where there is none.
    pub(crate) newest_head: Option<String>,
    /// Whether the newest head names the job.
    pub(crate) is_named: bool,
    /// Heads that name a line which the ledger does not have.
    pub(crate) contradicted: Vec<String>,
    /// Heads that do not name the one which lies before them here.
    pub(crate) broken: Vec<String>,
    /// The keys that have signed heads.
    pub(crate) keys: Vec<PublicKey>,
    /// How many heads are signed.
    pub(crate) signed: usize,
    /// Whether the newest head is.
    pub(crate) is_signed: bool,
    /// Whether one is timestamped.
    pub(crate) is_stamped: bool,
}

/// `VERIFY.txt`.
pub(crate) fn verify_txt(pack: &Pack<'_>) -> String {
    let mut text = begin(pack);
    let mut claim = |what: &str, command: &str| {
        let _ = write!(text, "\n# {what}\n{command}\n");
    };
    claim(
        "Nothing of this pack was changed or lost since it was made.",
        "sha256sum --quiet -c SHA256SUMS",
    );
    for (what, command) in [
        of_folders(pack),
        of_ledger(),
        of_coverage(pack),
        vec![of_statuses(pack)],
    ]
    .concat()
    {
        claim(&what, &command);
    }
    for (what, command) in of_heads(pack) {
        claim(&what, &command);
    }
    text += &unproven(pack);
    text
}

type Claim = (String, String);

fn begin(pack: &Pack<'_>) -> String {
    let Pack {
        archive, job, span, ..
    } = pack;
    format!(
        "# What was archived of the job {job} from {} to {},\n\
         # in the archive {archive}, and what proves it. Run this in the folder in which it lies, line by line or\n\
         # whole: `sh -e VERIFY.txt`. A line that begins with # tells; each other is one command, and proves what stands above\n\
         # it where it ends with exit code 0. coverage.html shows it month by month, to be printed and signed.\n\
         # It takes sha256sum and others of coreutils, jq, ssh-keygen and openssl.\n",
        span.from(),
        span.to()
    )
}

/// What `jq -s` makes of a ledger: the folders that it has recorded of the span, and that it does not say are gone.
fn recorded(span: Span) -> String {
    format!(
        "reduce .[] as $l ({{}}; if $l.event == \"archived\" then .[$l.manifest_sha256] = $l elif $l.event == \"missing\" \
         then del(.[$l.manifest_sha256]) else . end) | [.[] | select(.from_ms < {} and .to_ms > {})]",
        span.to().0,
        span.from().0
    )
}

/// What a list begins with that `jq` makes for a comparison: where `jq` fails, there is nothing.
const BEGIN: &str = "=";

fn of_folders(pack: &Pack<'_>) -> Vec<Claim> {
    let (job, recorded) = (pack.job, recorded(pack.span));
    if pack.folders == 0 {
        return vec![(
            "The ledger has recorded no folder of the span, and none is here.".to_owned(),
            format!("[ ! -e archive ] && [ \"$(jq -s '{recorded} | length' ledger.jsonl)\" = 0 ]"),
        )];
    }
    let manifests = format!("archive/{job}/*/*/manifest.json");
    let let_go = "reduce .[] as $l ({}; if $l.event == \"pruned\" then .[\"\\($l.from_ms)-\\($l.to_ms)\"] = $l.seq else . end)";
    let mut claims = vec![
        (
            "Each folder that the ledger has recorded is here, with the manifest that it has recorded.".to_owned(),
            format!(
                "jq -rs '{recorded} | .[] | \"\\(.manifest_sha256)  archive/\\(.folder)/manifest.json\"' ledger.jsonl | \
                 sha256sum --quiet --strict -c -"
            ),
        ),
        (
            "And there is no folder that it has not recorded.".to_owned(),
            format!("[ \"$(set -- {manifests}; echo $#)\" = \"$(jq -s '{recorded} | length' ledger.jsonl)\" ]"),
        ),
        (
            "Each window's SHA256SUMS, or SHA256SUMS.pruned, says what its manifest says.".to_owned(),
            format!(
                "(for m in {manifests}; do f=${{m%/*}}/SHA256SUMS; [ -e \"$f\" ] || f=$f.pruned; [ \"$(echo \"$(sha256sum < \
                 \"$m\" | cut -c1-64)  manifest.json\"; jq -r '.parts[] | if .zip.path then .zip else .files[] end | \
                 \"\\(.sha256)  \\(.path)\"' \"$m\")\" = \"$(cat \"$f\")\" ] || exit 1; done)"
            ),
        ),
        (
            "Where that is SHA256SUMS.pruned, the ledger says that the data were let go of.".to_owned(),
            format!(
                "[ \"$(for m in {manifests}; do d=${{m%/*}}; [ -e \"$d/SHA256SUMS\" ] || echo \"${{d#archive/}}\"; done | jq -nR \
                 --slurpfile l ledger.jsonl '($l | ({let_go}) as $w | reduce ({recorded} | .[]) as $f ({{}}; if $f.pruned or \
                 ($w[\"\\($f.from_ms)-\\($f.to_ms)\"] // 0) > $f.seq then .[$f.folder] = true else . end)) as $ok | [inputs | select($ok[.] | \
                 not)] | length')\" = 0 ]"
            ),
        ),
    ];
    claims.push(match pack.has_data {
        true => (
            "And each file is what these sums say; only data that were let go of may lack.".to_owned(),
            format!(
                "(for m in {manifests}; do cd \"${{m%/*}}\" || exit 1; if [ -e SHA256SUMS ]; then sha256sum --quiet --strict -c \
                 SHA256SUMS; else sha256sum --quiet --strict --ignore-missing -c SHA256SUMS.pruned; fi || exit 1; cd \
                 \"$OLDPWD\" || exit 1; done)"
            ),
        ),
        false => (
            "Data are not in this pack.".to_owned(),
            format!("[ \"$(set -- archive/{job}/*/*/part-*; echo \"$*\")\" = 'archive/{job}/*/*/part-*' ]"),
        ),
    });
    claims
}

fn of_ledger() -> Vec<Claim> {
    vec![(
        "Each line of the ledger names the one before it. This takes some minutes for years.".to_owned(),
        "(p=null; while IFS= read -r l || [ -n \"$l\" ]; do case $l in *'\"prev\":'\"$p\"[,}]*) ;; *) exit 1 ;; esac; p='\"'$(printf \
         %s \"$l\" | sha256sum | cut -c1-64)'\"'; done < ledger.jsonl)"
            .to_owned(),
    )]
}

fn of_coverage(pack: &Pack<'_>) -> Vec<Claim> {
    let spans: Vec<Span> = pack.covered.spans().collect();
    let shown: String = spans
        .iter()
        .map(|span| format!(" {}-{}", span.from().0, span.to().0))
        .collect();
    let gaps: Vec<Span> = pack.covered.missing_in(pack.span);
    let mut what = match gaps.is_empty() {
        true => "The folders hold the whole span, without a gap.".to_owned(),
        false => "The folders hold the span but for what is listed here, in milliseconds of UTC."
            .to_owned(),
    };
    for gap in gaps {
        let _ = write!(what, "\n# Not archived: {} to {}", gap.from(), gap.to());
    }
    vec![(
        what,
        format!(
            "[ \"$(jq -rs '{} | sort_by(.from_ms) | reduce .[] as $w ([]; if length > 0 and $w.from_ms <= .[-1][1] then \
             .[-1][1] = ([.[-1][1], $w.to_ms] | max) else . + [[$w.from_ms, $w.to_ms]] end) | \
             \"{BEGIN}\" + (map(\" \\(.[0])-\\(.[1])\") | add // \"\")' ledger.jsonl)\" = \"{BEGIN}{shown}\" ]",
            recorded(pack.span),
        ),
    )]
}

fn of_statuses(pack: &Pack<'_>) -> Claim {
    let statuses = pack.statuses.iter();
    let statuses: Vec<String> = statuses
        .map(|(status, windows)| format!("{status} {windows}"))
        .collect();
    let statuses = statuses.join(", ");
    (
        format!(
            "The windows were archived as: {statuses}. Of one that is truncated the service may have had more; how complete one \
             is\n# that is unproven can't be told."
        ),
        format!(
            "[ \"$(jq -rs '{} | group_by([.from_ms, .to_ms]) | map(max_by(.folder | [capture(\"\\\\.r(?<n>[0-9]+)$\").n | \
             tonumber][0] // 1).status) | group_by(.) | \"{BEGIN}\" + (map(\"\\(.[0]) \\(length)\") | join(\", \"))' \
             ledger.jsonl)\" = \"{BEGIN}{statuses}\" ]",
            recorded(pack.span)
        ),
    )
}

/// What `jq` reads of the head `$h`; the line fails where it can't.
fn line_of_head(key: &str) -> String {
    format!("$(jq -rR 'select(startswith(\"{key}: \")) | split(\": \")[1]' \"$h\")")
}

fn of_heads(pack: &Pack<'_>) -> Vec<Claim> {
    let Some(newest) = &pack.newest_head else {
        return Vec::new();
    };
    let job = pack.job;
    // One that was made before the job's first line does not name it.
    let named = match pack.is_named {
        true => " && [ -n \"$n\" ]",
        false => "",
    };
    // The newest one is never left out.
    let older: Vec<&str> = pack
        .contradicted
        .iter()
        .filter(|name| *name != newest)
        .map(String::as_str)
        .collect();
    let (skipped, but) = match older.is_empty() {
        true => (String::new(), ""),
        false => (
            format!("case $h in {}) continue ;; esac; ", older.join(" | ")),
            ", but for those that are named at the end",
        ),
    };
    let begins = match pack.broken.is_empty() {
        true => String::new(),
        false => format!("case $h in {}) p= ;; esac; ", pack.broken.join(" | ")),
    };
    let but_broken = match pack.broken.is_empty() {
        true => "",
        false => ", but for those that are named at the end",
    };
    let mut claims = vec![
        (
            format!("Each head names a line that the ledger has{but}; the newest is {newest}."),
            format!(
                "(for h in heads/*.head; do {skipped}n={} || exit 1; [ -z \"$n\" ] || [ \"$(tail -n \"+$n\" ledger.jsonl | head -n 1 \
                 | tr -d '\\n' | sha256sum | cut -c1-64)\" = \"{}\" ] || exit 1; done; [ \"$h\" = {newest} ]{named})",
                line_of_head(&format!("job.{job}.ledger-lines")),
                line_of_head(&format!("job.{job}.ledger-sha256")),
            ),
        ),
        (
            format!("Each head names the one before it, and the timestamp of that{but_broken}."),
            format!(
                "(p=; for h in heads/*.head; do {begins}[ -z \"$p\" ] || {{ [ \"{}\" = \"$(sha256sum < \"$p\" | cut -c1-64)\" ] && {{ t={} && [ \
                 \"$t\" = none ] || [ \"$t\" = \"$(cat \"$p.tsr\" | sha256sum | cut -c1-64)\" ]; }}; }} || exit 1; p=$h; done)",
                line_of_head("previous-head"),
                line_of_head("previous-timestamp"),
            ),
        ),
    ];
    if !pack.keys.is_empty() {
        let keys: Vec<String> = pack.keys.iter().map(PublicKey::fingerprint).collect();
        claims.push((
            format!(
                "Heads are signed, and so many of them. Are these the archive's? Compare them with allowed_signers as \
                 it was\n# kept elsewhere, or take that in its place:\n# {}",
                keys.join("\n# ")
            ),
            format!(
                "(n=0; for h in heads/*.head; do if [ -e \"$h.sig\" ]; then n=$((n + 1)); ssh-keygen -Y verify -f allowed_signers -I \
                 {PRINCIPAL} -n {NAMESPACE} -s \"$h.sig\" < \"$h\" > /dev/null || exit 1; else k={} && [ -z \"$k\" ] || exit 1; fi; \
                 done; [ $n = {} ])",
                line_of_head("key"),
                pack.signed
            ),
        ));
    }
    if pack.is_stamped {
        claims.push((
            "An authority has timestamped these heads. Put its root certificate into authority.pem, as it gives it itself. That its\n# \
             certificates were valid is asked of the time that each timestamp tells: they are no more, years later."
                .to_owned(),
            "(for t in heads/*.tsr; do h=${t%.tsr}; d=$({ cat \"$h\"; [ ! -e \"$h.sig\" ] || cat \"$h.sig\"; } | sha256sum | cut -c1-64); \
             a=$(date -ud \"$(openssl ts -reply -in \"$t\" -text 2> /dev/null | jq -rR 'select(startswith(\"Time stamp: \"))[12:]')\" +%s) || \
             exit 1; o=$(openssl ts -verify -digest \"$d\" -in \"$t\" -CAfile authority.pem -attime \"$a\" 2>&1) || { echo \"$t: $o\"; exit 1; }; \
             done)"
                .to_owned(),
        ));
    }
    claims
}

/// What this pack does not prove.
fn unproven(pack: &Pack<'_>) -> String {
    let mut text = "\n# What all this can't prove by itself: whoever could write to the archive's machine may have made all of it \
                    anew. A head\n# that was kept elsewhere shows that they did not: it must be here, with the same sum:\n"
        .to_owned();
    match &pack.newest_head {
        Some(_) => text += "#   sha256sum heads/*.head\n",
        None => text += "# There is no head in this pack, so nothing can show that.\n",
    }
    if pack.newest_head.is_some() && !pack.is_named {
        text += "# No head names this job yet. `elsa-archiver head now` makes one that does.\n";
    }
    for head in &pack.contradicted {
        let _ = writeln!(
            text,
            "# {head} names a line that this ledger does not have: the ledger was made anew, or is another one, since."
        );
    }
    for head in &pack.broken {
        let _ = writeln!(
            text,
            "# {head} does not name the head that lies before it here: those between are gone, or are none."
        );
    }
    if !pack.is_signed {
        text += "# The newest head is not signed.\n";
    }
    if !pack.is_stamped {
        text += "# No head is timestamped: when each was made, the archive's machine alone says.\n";
    }
    text
}
