//! The workshop: what is run to test, check and measure Doorward.
//!
//! `cargo xtask test` is all that anybody needs to know. Nothing here is shipped.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to a terminal only")]

use std::process::ExitCode;

mod bench;
mod check;
mod npm;
mod packages;
mod step;
mod test;

const USAGE: &str = "\
usage: cargo xtask TASK

  test [-- ARGUMENTS]      install what the tests need, then run them all; ARGUMENTS go to nextest
  check                    formatting, lints, documentation, and the rules of the house
  bench [--quick]          measure against a bare server, here and now
  bench --scale [--quick]  measure a million sessions beside a thousand";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words.as_slice() {
        ["test"] => test::run(&[]),
        ["test", "--", ref rest @ ..] => test::run(rest),
        ["check"] => check::run(),
        ["bench"] => bench::run(&bench::FULL),
        ["bench", "--quick"] => bench::run(&bench::QUICK),
        ["bench", "--scale"] => bench::scale::run(&bench::scale::MILLION),
        ["bench", "--scale", "--quick"] => bench::scale::run(&bench::scale::QUICK),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
