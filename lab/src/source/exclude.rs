//! What is left out of an artifact: version control's files, and what `spec.ignore` says, in place of which stands, if it
//! says nothing, CI's and Flux's own files and pictures. (Flux documentation: GitRepository, "Excluding files".)

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// What no repository is served with.
const VERSION_CONTROL: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];
/// What is left out where nothing else is said.
const DEFAULT: [&str; 20] = [
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    ".goreleaser.yml",
    ".sops.yaml",
    ".flux.yaml",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
];

/// Which files are left out.
#[derive(Debug)]
pub(super) struct Exclusions(Gitignore);

impl Exclusions {
    /// By `spec.ignore`, if there is one. Later patterns count before earlier ones.
    ///
    /// # Errors
    ///
    /// When a line is not a pattern.
    pub(super) fn new(ignore: Option<&str>) -> Result<Self, ignore::Error> {
        let mut builder = GitignoreBuilder::new("/");
        let asked = ignore.map(|text| text.lines().collect());
        let asked: Vec<&str> = asked.unwrap_or_else(|| DEFAULT.into());
        for line in VERSION_CONTROL.into_iter().chain(asked) {
            builder.add_line(None, line)?;
        }
        Ok(Self(builder.build()?))
    }

    /// Whether the file at this path, relative to the root, is left out.
    pub(super) fn exclude(&self, path: &str) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_files_stay_and_the_rest_goes() {
        let exclusions = Exclusions::new(None).unwrap();
        for path in [
            "kustomization.yaml",
            "apps/profile.yaml",
            "charts/app/Chart.yaml",
        ] {
            assert!(!exclusions.exclude(path), "{path} was left out");
        }
        for path in [".github/workflows/ci.yaml", "apps/.gitignore", "docs/a.png"] {
            assert!(exclusions.exclude(path), "{path} was kept");
        }
    }

    #[test]
    fn a_repository_can_be_reduced_to_some_of_its_folders() {
        let exclusions = Exclusions::new(Some("/*\n!/charts\n!/crds\n")).unwrap();
        for path in [
            "charts/podid/Chart.yaml",
            "crds/manifests/kustomization.yaml",
        ] {
            assert!(!exclusions.exclude(path), "{path} was left out");
        }
        for path in [
            "README.md",
            "operator/src/main.rs",
            "docs/charts/a.md",
            "charts/.gitignore",
        ] {
            assert!(exclusions.exclude(path), "{path} was kept");
        }
        assert!(
            !exclusions.exclude("charts/podid/icon.png"),
            "the default was not replaced"
        );
    }
}
