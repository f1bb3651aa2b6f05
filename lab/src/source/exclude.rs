//! What source-controller leaves out of every artifact by default: version control's,
//! CI's and Flux's own files, and pictures. (Flux documentation: GitRepository, "Excluding files".)

/// Folders that are left out wherever they are.
const FOLDERS: [&str; 3] = [".git", ".github", ".circleci"];
/// Files that are left out wherever they are.
const FILES: [&str; 13] = [
    ".gitignore",
    ".gitmodules",
    ".gitattributes",
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
];
/// Endings of files that are left out.
const ENDINGS: [&str; 8] = [
    ".jpg", ".jpeg", ".gif", ".png", ".wmv", ".flv", ".tar.gz", ".zip",
];

/// Whether the file at this path, relative to the root, is left out.
pub(super) fn excluded(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    let Some(file) = parts.pop() else { return true };
    parts.iter().any(|folder| FOLDERS.contains(folder))
        || FILES.contains(&file)
        || ENDINGS.iter().any(|ending| file.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_files_stay_and_the_rest_goes() {
        for path in [
            "kustomization.yaml",
            "apps/profile.yaml",
            "charts/app/Chart.yaml",
        ] {
            assert!(!excluded(path), "{path} was left out");
        }
        for path in [".github/workflows/ci.yaml", "apps/.gitignore", "docs/a.png"] {
            assert!(excluded(path), "{path} was kept");
        }
    }
}
