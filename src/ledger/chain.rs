//! Reading the lines of a ledger as a chain: each is parsed, held against the one before, and folded into what the lines
//! show. Pure but for the reader it is given.

use std::io::BufRead;

use super::line::{Fault, Line};
use super::lines::{self, Damage, LONGEST_LINE, Next};
use super::newer;
use super::replay::Replay;

/// Reads the lines that follow those which `replay` shows; `each` sees every one that is in order.
///
/// # Errors
/// At the first line that is damaged or does not continue the chain.
pub(super) fn read_on(
    mut replay: Replay,
    mut lines: impl BufRead,
    mut each: impl FnMut(&Line),
) -> Result<Replay, Damage> {
    let mut line = Vec::new();
    loop {
        match lines::next(&mut lines, &mut line)? {
            Next::End => return Ok(replay),
            Next::TooLong => {
                return Err(replay.damaged(format!("it is longer than {LONGEST_LINE} bytes")));
            }
            Next::Line => {}
        }
        let parsed = match Line::parse(&line) {
            Ok(parsed) => parsed,
            Err(Fault::Newer(what)) => {
                let number = replay.lines + 1;
                return match newer::is_chained(&line, number, replay.last_line, lines)? {
                    true => Err(Damage::Newer { line: number, what }),
                    false => Err(replay.damaged(what)),
                };
            }
            Err(Fault::Wrong(what)) => return Err(replay.damaged(what)),
        };
        replay.take(&parsed, &line)?;
        each(&parsed);
    }
}
