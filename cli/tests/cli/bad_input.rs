//! Files that nobody should write: a clear error with file and line, nothing written, no panic.

use std::fs;

use podid::Exit;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::fixture::{Tree, podid};
use crate::plan::{CLASS, PROFILE};

/// Runs a command on a file of these bytes; its error, without the folder.
fn failed(command: &[&str], bytes: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bad.yaml");
    fs::write(&file, bytes).unwrap();
    let ran = podid(&[command, &[file.to_str().unwrap()]].concat());
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (Exit::Failed, ""),
        "{command:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), bytes, "the file was changed");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a file was written"
    );
    ran.err.replace(&folder.path().display().to_string(), "DIR")
}

/// Nine levels of nine aliases each.
fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        text += &format!("a{level}: &a{level} [{below}]\n");
    }
    text
}

#[test]
fn each_is_named_with_file_and_line() {
    let tab = PROFILE.replace("  className", "\tclassName");
    let twice = format!("{PROFILE}  className: other\n");
    let many = "a: 1\n---\n".repeat(10_001);
    let table: [(&[u8], &str); 7] = [
        (
            tab.as_bytes(),
            "DIR/bad.yaml:5 is not YAML; YAML is indented with spaces",
        ),
        (twice.as_bytes(), "DIR/bad.yaml:11 is not YAML"),
        (
            &[PROFILE.as_bytes(), b"# \xff\n"].concat(),
            "DIR/bad.yaml:11 is not UTF-8",
        ),
        (&bomb().into_bytes(), "is not YAML"),
        (many.as_bytes(), "is not YAML"),
        (
            &vec![b'#'; 17 * 1024 * 1024],
            "DIR/bad.yaml is larger than 16 MiB",
        ),
        (b"spec: *nothing\n", "DIR/bad.yaml:1 is not YAML"),
    ];
    for (bytes, words) in table {
        for command in [&["plan"][..], &["migrate", "values"]] {
            let error = failed(command, bytes);
            assert!(
                error.contains(words),
                "{command:?}: {words:?} is not in: {error}"
            );
        }
    }
}

#[test]
fn what_is_no_object_is_no_profile() {
    for text in [
        "just text\n",
        "- a\n- b\n",
        "42\n",
        "items: text\nkind: List\n",
        "metadata: x\nkind: [1]\n",
    ] {
        let error = failed(&["plan"], text.as_bytes());
        assert!(
            error.contains("DIR/bad.yaml holds no profile and no class"),
            "{text}: {error}"
        );
    }
}

#[test]
fn windows_files_and_many_documents_are_read() {
    let windows = format!("\u{feff}{CLASS}---\n{PROFILE}").replace('\n', "\r\n");
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x";
    let many: String = (0..9_000).map(|at| format!("{other}{at}}}\n")).collect();
    for text in [windows, format!("{CLASS}---\n{PROFILE}{many}")] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("good.yaml");
        fs::write(&file, text).unwrap();
        let ran = podid(&["plan", file.to_str().unwrap(), "-o", "json"]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    }
}

#[test]
fn a_file_that_cannot_be_read_stops_no_list_and_changes_no_file() {
    let tree = Tree::with(&[("a.yaml", PROFILE)]);
    fs::write(tree.path("b.yaml"), b"kind: PodIdentityProfile \xff").unwrap();
    let root = tree.folder.path().to_str().unwrap();
    let ran = podid(&["profile", "list", root]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.out.contains("b.yaml:1 is not UTF-8"), "{}", ran.out);
    let edit = [
        "profile",
        "edit",
        "checkout",
        "-n",
        "payments",
        "--class=x",
        "--path=b.yaml",
    ];
    let ran = tree.podid(&edit);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("b.yaml:1 is not UTF-8"),
        "{ran:?}"
    );

    std::os::unix::fs::symlink("/etc/hostname", tree.path("link.yaml")).unwrap();
    let edit = [
        "profile",
        "edit",
        "checkout",
        "-n",
        "payments",
        "--class=x",
        "--path=link.yaml",
    ];
    assert_eq!(tree.podid(&edit).exit, Exit::Failed);
    let outside = [
        "profile",
        "edit",
        "checkout",
        "-n",
        "payments",
        "--class=x",
        "--path=../../etc/hostname",
    ];
    assert_eq!(tree.podid(&outside).exit, Exit::Failed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        start in 0_usize..PROFILE.len(),
        length in 0_usize..40,
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        yaml in "[ a-z:\\-\\[\\]{}&*!|>'\"%@`#,?\n\t]{0,40}",
    ) {
        let end = (start + length).min(PROFILE.len());
        let whole = [CLASS.as_bytes(), b"---\n", PROFILE.as_bytes()].concat();
        let cut = |with: &[u8]| {
            let at = CLASS.len() + 4;
            [&whole[..at + start], with, &whole[at + end..]].concat()
        };
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("any.yaml");
        for text in [cut(&bytes), cut(yaml.as_bytes()), bytes.clone(), yaml.clone().into_bytes()] {
            fs::write(&file, &text).unwrap();
            let path = file.to_str().unwrap();
            for command in [
                &["plan", path][..],
                &["plan", folder.path().to_str().unwrap()],
                &["plan", path, "-o", "sarif"],
                &["migrate", "values", path],
                &["profile", "list", folder.path().to_str().unwrap()],
            ] {
                let _any = podid(command);
            }
            prop_assert_eq!(&fs::read(&file).unwrap(), &text);
        }
    }
}
