//! A step: a program run from the root of the project, told before and timed after.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a task stopped: a line of cause, and what to try.
#[derive(Debug)]
pub(crate) struct Failure {
    cause: String,
    remedy: Option<String>,
}

/// What a task comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: None }
    }

    /// For `map_err`: what was being done, and what came of it.
    pub(crate) fn while_doing<E: fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::new(format!("{what}: {error}"))
    }

    pub(crate) fn or_try(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.cause)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\nTry: {remedy}"),
            None => Ok(()),
        }
    }
}

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A command to be run from the root. The first word is the program.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root());
    command
}

/// Runs a command in full view, says how long it took, and stops the task when it fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let start = Instant::now();
    run_last(command)?;
    eprintln!("done in {:.1} s\n", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a command that itself says how long it took, so that its own last line is the last.
pub(crate) fn run_last(command: &mut Command) -> Outcome {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(Failure::while_doing(format!("`{line}` could not be started")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}`: {status}"))) }
}

/// Runs a command out of sight, for what it prints.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::while_doing(format!("`{line}` could not be started")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("`{line}`: {}\n{}", output.status, said.trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is to be found, as a shell would find it.
pub(crate) fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}='{}'", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    set.chain(words.map(|word| word.to_string_lossy().into_owned())).collect::<Vec<_>>().join(" ")
}
