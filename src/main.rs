//! The program: it hands its arguments to the library and exits with what comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    elsa_archiver::cli::main()
}
