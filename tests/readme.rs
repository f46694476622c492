//! The README's transcript, run as printed.
//!
//! The block that follows `<!-- transcript -->` is given to one shell, line by line, against a real
//! server; only the port is another. A line that begins with `$ ` is a command, the lines below it
//! are what it prints. `…` stands for anything within a line; everything else is compared as it is.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::{Folder, Process, within};

const MARK: &str = "<!-- transcript -->";

/// Where the README says that the server answers.
const PRINTED: &str = "http://localhost:7117";

/// A command and what it should print.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    expected: Vec<String>,
}

/// Reads the steps out of the README, or says what is wrong with it.
fn steps(readme: &str) -> Result<Vec<Step>, String> {
    let (_, after) = readme.split_once(MARK).ok_or(format!("no {MARK}"))?;
    let block = after.trim_start().strip_prefix("```console\n");
    let block = block.ok_or(format!("no ```console block right after {MARK}"))?;
    let (block, _) = block.split_once("\n```").ok_or("the ```console block has no end")?;
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), expected: Vec::new() });
            }
            // A line that goes on below, as a shell prints it.
            (None, Some(step)) if step.command.ends_with('\\') && step.expected.is_empty() => {
                let rest = line.strip_prefix("> ").unwrap_or(line);
                step.command = format!("{}\n{rest}", step.command);
            }
            (None, Some(step)) => step.expected.push(line.to_owned()),
            (None, None) => return Err(format!("the block begins with output: {line}")),
        }
    }
    if steps.is_empty() { Err("the block is empty".to_owned()) } else { Ok(steps) }
}

/// Whether a line is as printed: the pieces between `…` stand in it, in their order.
fn matches(expected: &str, line: &str) -> bool {
    let mut pieces = expected.split('…');
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// Gives all commands to one shell, and its output back by command.
async fn run(steps: &[Step], url: &str) -> Vec<Vec<String>> {
    const END: &str = "--end-of-step--";
    let folder = Folder::fresh();
    let mut shell = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // The mark begins a line of its own, whether or not the output before it ended in one.
    let command = |step: &Step| step.command.replace(PRINTED, url);
    let marked = |step| format!("{}\nprintf '\\n{END}\\n'\n", command(step));
    let script: Vec<String> = steps.iter().map(marked).collect();
    shell.stdin.take().unwrap().write_all(script.concat().as_bytes()).await.unwrap();
    let running = within(Duration::from_mins(1), "the transcript", shell.wait_with_output());
    let output = String::from_utf8(running.await.unwrap().stdout).unwrap();
    let end = format!("\n{END}\n");
    let printed = output.split(&end).map(|text| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.replace(url, PRINTED).lines().map(str::to_owned).collect()
    });
    let mut printed: Vec<Vec<String>> = printed.collect();
    assert_eq!(printed.pop(), Some(Vec::new()), "every command came to its end");
    printed
}

#[tokio::test]
async fn the_readme_transcript_works_as_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let steps = steps(&readme).unwrap_or_else(|fault| panic!("README.md: {fault}"));
    assert!(steps.iter().any(|step| step.command.contains(PRINTED)), "nothing asks the server");
    let process = Process::start(&[]).await;
    let printed = run(&steps, &process.url).await;
    assert_eq!(printed.len(), steps.len());
    for (step, lines) in steps.iter().zip(printed) {
        let same = lines.len() == step.expected.len()
            && step.expected.iter().zip(&lines).all(|(expected, line)| matches(expected, line));
        assert!(
            same,
            "$ {}\nthe README says:\n{}\nand it printed:\n{}",
            step.command,
            step.expected.join("\n"),
            lines.join("\n")
        );
    }
}

#[test]
fn a_line_is_compared_letter_by_letter_but_for_its_ellipses() {
    for (expected, line) in [
        ("204", "204"),
        ("{\"id\":\"acc_…\"}", "{\"id\":\"acc_01k\"}"),
        ("a…b…c", "a1b2c"),
        ("…", ""),
        ("a…", "a"),
    ] {
        assert!(matches(expected, line), "{expected} {line}");
    }
    for (expected, line) in
        [("204", "2045"), ("204", "401"), ("a…b…c", "acb"), ("a…a", "a"), ("", "x"), ("x", "")]
    {
        assert!(!matches(expected, line), "{expected} {line}");
    }
}

#[test]
fn a_readme_without_a_transcript_is_told_what_it_lacks() {
    for (readme, fault) in [
        ("# Doorward", "no <!-- transcript -->"),
        ("<!-- transcript -->\ntext", "no ```console block"),
        ("<!-- transcript -->\n```console\n$ a", "has no end"),
        ("<!-- transcript -->\n```console\nout\n```", "begins with output"),
    ] {
        let told = steps(readme).unwrap_err();
        assert!(told.contains(fault), "{told}");
    }
    let read = steps("<!-- transcript -->\n```console\n$ a \\\n> b\n1\n$ c\n```\n").unwrap();
    let step = |command: &str, expected: &[&str]| Step {
        command: command.to_owned(),
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    };
    assert_eq!(read, [step("a \\\nb", &["1"]), step("c", &[])]);
}
