//! Models: protocols checked in every order of their steps, by spin (`tests/models/README.md`).
//!
//! A model that can find no mistake shows nothing. So each mistake that a model knows is put in, one
//! at a time, and must be found.

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::Folder;

/// What spin has to say of a model, with these names defined.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It holds in every order.
    Holds,
    /// There is an order in which it does not.
    Broken,
}

fn run(folder: &Folder, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder.path()).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}; `cargo xtask test` installs it"))
}

fn check(model: &str, defined: &[&str]) -> Verdict {
    let folder = Folder::fresh();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models").join(model);
    let path = path.canonicalize().unwrap();
    let names: Vec<String> = defined.iter().map(|name| format!("-D{name}")).collect();
    let mut words: Vec<&str> = names.iter().map(String::as_str).collect();
    words.extend(["-a", path.to_str().unwrap()]);
    for (program, words) in [("spin", &*words), ("cc", &["-O2", "-DSAFETY", "-o", "pan", "pan.c"])]
    {
        let output = run(&folder, program, words);
        assert!(output.status.success(), "{program} {defined:?}: {output:?}");
    }
    let pan = folder.join("pan");
    let said = run(&folder, pan.to_str().unwrap(), &["-m10000"]);
    let said = String::from_utf8(said.stdout).unwrap();
    // A search that was cut short has shown nothing.
    for cut_short in ["max search depth too small", "out of memory", "Search not completed"] {
        let is_cut_short = said.contains(cut_short) && !said.contains("assertion violated");
        assert!(!is_cut_short, "{said}");
    }
    assert!(!said.contains("pan:1: invalid end state"), "{defined:?} gets stuck: {said}");
    if said.contains("assertion violated") {
        return Verdict::Broken;
    }
    assert!(said.contains("errors: 0"), "{said}");
    Verdict::Holds
}

/// Writes one test for each way to put the model together.
macro_rules! models {
    ($model:literal; $($name:ident: $defined:expr => $verdict:ident;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(check($model, &$defined), Verdict::$verdict);
            }
        )*
    };
}

models! { "session-table.pml";
    the_table_of_sessions_is_right_whatever_the_order: [] => Holds;
    the_table_of_sessions_is_right_beside_another_process: ["FOREIGN"] => Holds;
    the_table_of_sessions_is_right_after_a_crash: ["CRASH"] => Holds;
    an_act_answered_before_the_table_knows_is_found: ["ANSWER_BEFORE_APPLY"] => Broken;
    a_change_applied_before_its_commit_is_found: ["APPLY_BEFORE_COMMIT"] => Broken;
    a_fill_that_overwrites_is_found: ["FILL_OVERWRITES"] => Broken;
    a_use_that_inserts_is_found: ["TOUCH_UPSERTS"] => Broken;
    a_miss_that_counts_too_late_is_found: ["COMPLETE_TOO_LATE"] => Broken;
    a_look_that_does_not_look_again_is_found: ["FOREIGN", "NO_RECHECK"] => Broken;
    a_retirement_that_was_not_announced_is_found: ["NO_ANNOUNCEMENT"] => Broken;
    another_process_that_nobody_looks_for_is_found: ["FOREIGN", "NO_LOOK"] => Broken;
}

models! { "refresh.pml";
    refresh_tokens_have_one_living_branch_and_log_nobody_out: [] => Holds;
    refresh_tokens_have_one_living_branch_beside_a_thief: ["THIEF"] => Holds;
    a_node_that_reads_and_writes_later_is_found: ["NOT_ATOMIC"] => Broken;
    a_second_use_that_is_always_a_theft_is_found: ["NO_WINDOW"] => Broken;
    a_successor_for_each_use_is_found: ["OWN_SUCCESSOR"] => Broken;
}
