//! Programs of this machine that stand-ins for a kubelet run in place of images.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::state::StateDir;

/// Lets the stand-ins of a lab run `program` for images whose last word is `name`, also for containers of that image
/// that are started again.
///
/// # Errors
///
/// When the lab's folder cannot be written.
pub fn offer(dir: &StateDir, name: &str, program: &Path) -> io::Result<()> {
    let folder = folder(dir);
    fs::create_dir_all(&folder)?;
    // Each caller makes a link of its own first: several may offer one name at once.
    let link = tempfile::Builder::new().make_in(&folder, |new| symlink(program, new))?;
    Ok(link.into_temp_path().persist(folder.join(name))?)
}

/// The program for an image, if there is one: a link, named as the image.
pub(crate) fn find(dir: &StateDir, image: &str) -> Option<PathBuf> {
    let program = folder(dir).join(last_word(image)?);
    program.is_file().then_some(program)
}

fn folder(dir: &StateDir) -> PathBuf {
    dir.file("programs")
}

/// The name of an image without registry, folders, tag and digest.
fn last_word(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    let name = name.split(':').next()?;
    let is_plain = !name.is_empty() && name != "." && name != "..";
    is_plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_the_last_word_of_its_name() {
        for image in [
            "podid-nmi",
            "podid-nmi:0.1.0",
            "podid.dev/podid-nmi:0.1.0",
            "localhost:5000/team/podid-nmi",
            "podid.dev/podid-nmi:0.1.0@sha256:00ff",
        ] {
            assert_eq!(last_word(image), Some("podid-nmi"), "{image}");
        }
        for none in ["", "a/", "a/..", ":1"] {
            assert_eq!(last_word(none), None, "{none}");
        }
    }

    #[test]
    fn a_program_is_offered_once_more_and_only_for_its_image() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path().join("lab"));
        let programs = ["first", "second"].map(|name| folder.path().join(name));
        for program in &programs {
            fs::write(program, "").unwrap();
            offer(&dir, "app", program).unwrap();
            let found = find(&dir, "example.test/app:1").unwrap();
            assert_eq!(found.file_name().unwrap(), "app");
            assert_eq!(
                found.canonicalize().unwrap(),
                program.canonicalize().unwrap()
            );
        }
        assert_eq!(find(&dir, "example.test/other:1"), None);
    }

    #[test]
    fn several_may_offer_one_program_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path().join("lab"));
        let program = folder.path().join("program");
        fs::write(&program, "").unwrap();
        std::thread::scope(|scope| {
            let offers = || (0..200).try_for_each(|_| offer(&dir, "app", &program));
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(offers)).collect();
            for caller in callers {
                caller.join().unwrap().unwrap();
            }
        });
        let names: Vec<_> = fs::read_dir(dir.file("programs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["app"]);
    }
}
