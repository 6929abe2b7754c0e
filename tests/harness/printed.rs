//! Snapshots of what a command printed, without what differs from run to run. They lie in
//! `tests/it/snapshots/`; `INSTA_UPDATE=always` writes them anew.

use std::path::Path;

use super::process::Ran;

/// What differs from run to run: a regular expression, and what stands in its place.
const VARYING: [(&str, &str); 19] = [
    (r"\d{8}T\d{6}[+-]\d{4}", "[TIME]"),
    (
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?",
        "[TIME]",
    ),
    (r"\d{4}-\d\d-\d\d", "[DATE]"),
    (
        r"(    \[DATE\]/ +\d+ windows?\n)+",
        "    [DATE]/  [MANY] windows\n",
    ),
    (r"/[^\s:\x22']*?/\.tmp\w{6}", "[HOME]"),
    (r"/\S*/debug/elsa-archiver\b", "[PROGRAM]"),
    (r"127\.0\.0\.1:\d+", "[SERVICE]"),
    (r"\bwait_ms=\d+|\b\d+(\.\d+)? ?(ms|s)\b", "[DURATION]"),
    (r"\b\d+(\.\d+)? ([KMG]i)?B\b", "[SIZE]"),
    (r"\b\d+ MiB free", "[SIZE] free"),
    (
        r"the rest lasts for [^\n]+",
        "the rest lasts for [DURATION]",
    ),
    (r"bytes=\d+", "bytes=[SIZE]"),
    (r"archive=[0-9a-f]{32}", "archive=[ID]"),
    (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
    (r"(, |TIME\], )[^,\n]*\bago\b", "$1[DURATION] ago"),
    // Which windows are alike, and so suspicious, differs with the hour.
    (
        r"\d{2,} windows by search, \d windows by a second download, \d{2,} windows not \(\d+ requests\)",
        "[MANY]",
    ),
    (
        r"search has agreed on [12] of 3 windows",
        "search has agreed on [FEW] of 3 windows",
    ),
    (r"\b\d{13}\b", "[MS]"),
    (r"-[0-9a-f]{16}\.zip", "-[DIGEST].zip"),
];

impl Ran {
    /// Asserts that the command printed what the snapshot of this name holds.
    #[track_caller]
    pub fn prints(self, name: &str) -> Self {
        let text = format!(
            "$ elsa-archiver {}\nexit code {:?}\n\n{}--- stderr ---\n{}",
            self.args, self.code, self.stdout, self.stderr
        );
        let mut settings = insta::Settings::new();
        settings
            .set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        for (varying, instead) in VARYING {
            settings.add_filter(varying, instead);
        }
        settings.bind(|| insta::assert_snapshot!(name, text));
        self
    }
}
