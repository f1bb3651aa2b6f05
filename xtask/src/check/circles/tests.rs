use std::fs;

use super::{files, graph};

/// The circles of a crate with these files, each as its uses.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    let read = files::read(&folder.path().join("lib.rs")).expect("read");
    let root = format!("{}/", folder.path().display());
    let mut found = graph::circles(&read);
    found
        .iter_mut()
        .flatten()
        .for_each(|line| *line = line.replace(&root, ""));
    found
}

#[test]
fn a_planted_circle_is_found_with_its_imports() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B; fn f() { crate::c::g() }"),
        (
            "c.rs",
            "pub fn g() { let _ = format!(\"{}\", super::a::A); }",
        ),
    ]);
    let uses = [
        "a.rs uses b.rs (crate::b::B)",
        "b.rs uses c.rs (crate::c::g)",
        "c.rs uses a.rs (super::a::A)",
    ];
    assert_eq!(found, [uses]);
}

#[test]
fn a_parent_that_its_child_takes_from_is_a_circle_only_when_it_uses_the_child() {
    let child = ("a/b.rs", "use super::T; pub fn f(_: T) {}");
    let parent = |text| [("lib.rs", "mod a;"), ("a/mod.rs", text), child];
    let found = circles(&parent("mod b; pub struct T; fn g() { b::f(T) }"));
    let uses = [
        "a/mod.rs uses a/b.rs (b::f)",
        "a/b.rs uses a/mod.rs (super::T)",
    ];
    assert_eq!(found, [uses]);
    let named = circles(&parent(
        "mod b; pub use b::f; pub struct T; fn g() { f(T) }",
    ));
    assert_eq!(named.len(), 1, "{named:?}");
    let alone = circles(&parent(
        "mod b; pub use b::f; pub struct T; fn g(b: T) { b.f() }",
    ));
    assert_eq!(alone, Vec::<Vec<String>>::new());
}

#[test]
fn a_tree_passes_whose_names_come_through_re_exports_or_only_in_tests_and_comments() {
    let found = circles(&[
        (
            "lib.rs",
            "mod a; pub use a::{one::One, two::Two as Second};",
        ),
        (
            "a/mod.rs",
            "pub mod one; pub(crate) mod two; pub use self::one::One;",
        ),
        (
            "a/one.rs",
            "//! As [`super::two::Two`].\npub struct One;\n\
             #[cfg(test)] mod tests { use super::super::two::Two; }",
        ),
        (
            "a/two.rs",
            "use super::One; use crate::One as Same; pub struct Two(One, Same);",
        ),
    ]);
    assert_eq!(found, Vec::<Vec<String>>::new());
}
