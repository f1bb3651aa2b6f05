//! Programs and libraries of the system's own packages, for a system of Debian's
//! kind that lacks them: unpacked into the cache, not installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Unpacks `package`, and those that it needs and the system does not have, into
/// the folder `into`. The reason of a failure is one line.
pub(super) fn unpack(package: &str, into: &Path) -> Result<(), String> {
    let downloads = into.join(".packages");
    fs::create_dir_all(&downloads).map_err(|error| error.to_string())?;
    let plan = run(Command::new("apt-get").args([
        "install",
        "--simulate",
        "--quiet",
        "--no-install-recommends",
        package,
    ]))?;
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    run(Command::new("apt-get")
        // Else, as root, it wants to write as another user.
        .args(["download", "--quiet", "-o", "APT::Sandbox::User=root"])
        .args(missing(&plan))
        .current_dir(&downloads))?;
    for file in fs::read_dir(&downloads).map_err(|error| error.to_string())? {
        let file = file.map_err(|error| error.to_string())?.path();
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(file)
            .arg(into))?;
    }
    fs::remove_dir_all(&downloads).map_err(|error| error.to_string())
}

/// Names of the packages that `apt-get install --simulate` would install.
fn missing(plan: &str) -> impl Iterator<Item = &str> {
    let lines = plan.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines.filter_map(|line| line.split(' ').next())
}

fn run(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("{program}: {}", last.unwrap_or("no word why")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_installed_is_read_from_the_plan() {
        let plan = "\
Reading package lists...
The following NEW packages will be installed:
  libjansson4 nftables
Inst libjansson4 (2.14-2 Debian:12.11/stable [amd64])
Inst nftables (1.0.6-2+deb12u2 Debian:12.11/stable [amd64])
Conf nftables (1.0.6-2+deb12u2 Debian:12.11/stable [amd64])
";
        assert_eq!(
            missing(plan).collect::<Vec<_>>(),
            ["libjansson4", "nftables"]
        );
    }
}
