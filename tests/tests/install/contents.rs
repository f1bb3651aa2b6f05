//! What the images contain, and what they say about themselves.

use std::collections::BTreeSet;
use std::fs;

use podid_image::ShippedProgram;
use podid_tests::programs;
use serde_json::Value;

use crate::fixture::{Shipped, images, summary};

/// Largest compressed image, in bytes.
const LARGEST: u64 = 25_000_000;

fn git(arguments: &[&str]) -> String {
    let mut git = std::process::Command::new("git");
    let output = git
        .args(arguments)
        .current_dir(programs::repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The strings of a program that begin with `start`, up to a byte that no path has.
fn strings(program: &[u8], start: &str) -> BTreeSet<String> {
    let is_path = |byte: &u8| byte.is_ascii_graphic();
    let windows = program.windows(start.len()).enumerate();
    windows
        .filter(|(_, window)| *window == start.as_bytes())
        .map(|(at, _)| {
            let path = program[at..].iter().copied().take_while(is_path);
            String::from_utf8(path.take(300).collect()).unwrap()
        })
        .collect()
}

#[test]
fn images_are_small_and_run_as_the_right_user() {
    for program in ShippedProgram::ALL {
        let image = Shipped::read(program);
        let size: u64 = image
            .manifest
            .layers()
            .iter()
            .map(|layer| layer.size())
            .sum();
        assert!(size <= LARGEST, "{} has {size} bytes", program.name());
        let config = image.config.config().as_ref().unwrap();
        // The node daemon needs capabilities, which only user 0 keeps.
        let user = match program {
            ShippedProgram::PodidNmi => "0:0",
            _ => "65532:65532",
        };
        assert_eq!(config.user().as_deref(), Some(user));
        let start = format!("/{}", program.name());
        assert_eq!(config.entrypoint().as_deref(), Some(&[start][..]));
        assert_eq!(summary(&images(), program)["size"], size);
    }
}

#[test]
fn labels_name_the_commit_and_its_time() {
    let head = git(&["rev-parse", "HEAD"]);
    let time: i64 = git(&["show", "-s", "--format=%ct", "HEAD"])
        .parse()
        .unwrap();
    for program in ShippedProgram::ALL {
        let image = Shipped::read(program);
        let labels = image.config.labels_of_config().unwrap();
        assert_eq!(image.manifest.annotations().as_ref(), Some(labels));
        let label = |name: &str| labels[&format!("org.opencontainers.image.{name}")].as_str();
        assert_eq!(label("title"), program.name());
        assert_eq!(label("source"), "https://podid.dev");
        assert_eq!(label("version"), podid_runtime::build_info::RELEASE);
        assert_eq!(label("licenses"), "Apache-2.0");
        let modified = !git(&["status", "--porcelain"]).is_empty();
        let revision = if modified {
            format!("{head}-modified")
        } else {
            head.clone()
        };
        assert_eq!(label("revision"), revision);
        let created = std::process::Command::new("date")
            .args(["-u", "-d", label("created"), "+%s"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&created.stdout).trim(),
            time.to_string()
        );
        assert_eq!(image.config.created().as_deref(), Some(label("created")));
    }
}

#[test]
fn archives_name_their_image_as_containerd_wants_it() {
    for program in ShippedProgram::ALL {
        let index = Shipped::read(program).index;
        let names = index.manifests()[0].annotations().as_ref().unwrap().clone();
        let version = podid_runtime::build_info::RELEASE;
        assert_eq!(names["org.opencontainers.image.ref.name"], version);
        let name = format!("podid.dev/{}:{version}", program.name());
        assert_eq!(names["io.containerd.image.name"], name);
        let folder = tempfile::tempdir().unwrap();
        let archive = images().join(format!("{}.tar", program.name()));
        let mut archive = tar::Archive::new(fs::File::open(archive).unwrap());
        archive.unpack(folder.path()).unwrap();
        for file in ["oci-layout", "index.json"] {
            let packed = fs::read(folder.path().join(file)).unwrap();
            let layout = images().join(program.name()).join(file);
            assert_eq!(packed, fs::read(layout).unwrap());
        }
    }
}

#[test]
fn bills_list_what_is_linked_in_and_nothing_else() {
    for (program, has, has_not) in [
        (ShippedProgram::PodidNmi, "nlink", "git2"),
        (ShippedProgram::PodidOperator, "azure_mgmt_msi", "nlink"),
        (ShippedProgram::Podid, "libgit2-sys", "nlink"),
    ] {
        let bill = images().join(format!("{}.cdx.json", program.name()));
        let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
        assert_eq!(
            (&bill["bomFormat"], &bill["specVersion"]),
            (&"CycloneDX".into(), &"1.5".into())
        );
        assert_eq!(bill["metadata"]["component"]["name"], program.name());
        let components = bill["components"].as_array().unwrap();
        let listed: BTreeSet<String> = components
            .iter()
            .map(|component| {
                format!("{}-{}", component["name"], component["version"]).replace('"', "")
            })
            .collect();
        let lists = |name: &str| {
            listed
                .iter()
                .any(|found| found.starts_with(&format!("{name}-")))
        };
        assert!(
            lists(has) && lists("serde") && lists("glibc") && lists("rust-std"),
            "{listed:?}"
        );
        // Of another program, of tests, of macros, of builds.
        for other in [has_not, "insta", "serde_derive", "cc", "podid-lab"] {
            assert!(!lists(other), "{} lists {other}", program.name());
        }
        for component in components {
            assert!(component["licenses"][0].is_object(), "{component}");
        }
        // The other side: crates whose source paths are in the program.
        let folder = tempfile::tempdir().unwrap();
        Shipped::read(program).unpack(folder.path());
        let executable = fs::read(folder.path().join(program.name())).unwrap();
        let paths = strings(&executable, "/cargo/registry/");
        assert!(paths.len() > 10, "{paths:?}");
        for path in paths {
            let package = path
                .trim_start_matches("/cargo/registry/")
                .split('/')
                .next()
                .unwrap();
            assert!(listed.contains(package), "{} has {path}", program.name());
        }
    }
}

#[test]
fn nothing_in_a_program_tells_where_it_was_built() {
    let home = std::env::var("HOME").unwrap();
    let clone = programs::repository().display().to_string();
    let cache = podid_lab::tools::cache_root()
        .unwrap()
        .display()
        .to_string();
    for program in ShippedProgram::ALL {
        let folder = tempfile::tempdir().unwrap();
        Shipped::read(program).unpack(folder.path());
        let executable = fs::read(folder.path().join(program.name())).unwrap();
        for place in [&home, &clone, &cache] {
            let found = strings(&executable, &format!("{place}/"));
            assert!(found.is_empty(), "{}: {found:?}", program.name());
        }
    }
}
