use podid::Exit;

use crate::fixture::{podid, run};

#[test]
fn the_version_names_release_and_commit() {
    let ran = podid(&["--version"]);
    assert_eq!(ran.exit, Exit::Done);
    let wanted = format!("podid {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(ran.out.starts_with(&wanted), "{}", ran.out);
}

#[test]
fn kubectl_sees_its_own_plugin() {
    let ran = run(
        "/usr/local/bin/kubectl-podid",
        &["profile", "create", "--help"],
    );
    assert!(
        ran.out.contains("Usage: kubectl podid profile create"),
        "{}",
        ran.out
    );
    for command in [
        &["--help"][..],
        &["profile", "create", "--help"],
        &["profile", "edit", "--help"],
        &["profile", "delete", "--help"],
        &["profile", "list", "--help"],
        &["class", "create", "--help"],
        &["plan", "--help"],
        &["completion", "--help"],
    ] {
        let help = run("/usr/local/bin/kubectl-podid", command).out;
        let (_, examples) = help.split_once("Example").expect("examples");
        assert!(examples.contains("kubectl podid "), "{help}");
        let others = examples.replace("kubectl podid ", "");
        assert!(!others.contains("podid "), "{help}");
    }
}

#[test]
fn help_goes_to_the_output_and_misuse_to_the_errors() {
    let help = podid(&["--help"]);
    assert!(help.exit == Exit::Done && help.err.is_empty() && help.out.contains("Examples:"));
    for misuse in [&["nonsense"][..], &[], &["plan"]] {
        let ran = podid(misuse);
        assert!(
            ran.exit == Exit::Failed && ran.out.is_empty(),
            "{misuse:?}: {ran:?}"
        );
    }
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = podid(&["completion", shell]);
        assert!(
            ran.exit == Exit::Done && ran.out.contains("podid"),
            "{shell}"
        );
    }
}

#[test]
fn the_reference_has_every_command_and_no_trace_of_this_machine() {
    let page = podid::cli_reference();
    for command in [
        "profile create",
        "profile edit",
        "profile delete",
        "profile list",
        "class create",
        "plan",
        "completion",
    ] {
        assert!(page.contains(&format!("## podid {command}\n")), "{command}");
    }
    assert!(
        page.lines().all(|line| line.trim_end() == line),
        "trailing blanks"
    );
    assert!(!page.contains(&std::env::var("CARGO_MANIFEST_DIR").unwrap()));
}
