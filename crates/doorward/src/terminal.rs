//! The terminal: what people see of a command, and what they type into it unseen.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Prints a line for whoever started the command.
pub fn say(line: impl std::fmt::Display) {
    // Nobody is left to tell when standard output is closed.
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a line for people, beside what a program reads.
pub fn note(line: impl std::fmt::Display) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints what went wrong, one line of cause and one of advice.
pub fn complain(error: &anyhow::Error) {
    let mut stderr = io::stderr().lock();
    let text = format!("{error:#}");
    let (cause, advice) = text.split_once("\nTry: ").unwrap_or((&text, ""));
    let _ = writeln!(stderr, "doorward: {cause}");
    if !advice.is_empty() {
        let _ = writeln!(stderr, "Try: {advice}");
    }
}

/// Asks whether to go on with something that cannot be taken back. Only a plain yes is one.
pub fn confirm(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask at\nTry: --yes");
    }
    let mut prompt = io::stderr();
    write!(prompt, "{question} [y/N] ").and_then(|()| prompt.flush()).context("asking")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("reading the answer")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Reads a password: typed unseen at a terminal, or the first line of standard input.
pub fn read_password(from_stdin: bool) -> anyhow::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if from_stdin {
        return first_line();
    }
    if !stdin.is_terminal() {
        bail!("there is no terminal to type a password at\nTry: --password-stdin");
    }
    let mut prompt = io::stderr();
    write!(prompt, "Password: ").and_then(|()| prompt.flush()).context("writing the prompt")?;
    let shown = tcgetattr(&stdin).context("reading the terminal's modes")?;
    let mut hidden = shown.clone();
    hidden.local_modes -= LocalModes::ECHO;
    tcsetattr(&stdin, OptionalActions::Now, &hidden).context("hiding what is typed")?;
    let line = first_line();
    tcsetattr(&stdin, OptionalActions::Now, &shown).context("showing what is typed again")?;
    let _ = writeln!(prompt);
    line
}

fn first_line() -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line).context("reading the password")?;
    let text = line.trim_end_matches(['\n', '\r']);
    Ok(Zeroizing::new(text.to_owned()))
}
