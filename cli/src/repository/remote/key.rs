//! Whether two URLs are of one repository.

use super::location::RepositoryLocation;

/// Host and path of a repository, whatever the protocol; without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryKey(String);

impl RepositoryKey {
    /// That of a URL; `None` for what is no URL of a git repository.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (host, path) = match RepositoryLocation::parse(url, true).ok()? {
            RepositoryLocation::Folder(path) => (String::new(), path.to_str()?.to_owned()),
            RepositoryLocation::Http(at) => {
                (at.url.host_str()?.to_owned(), at.url.path().to_owned())
            }
            RepositoryLocation::Ssh(at) => (at.host, at.path),
        };
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Some(Self(azure_repos(&host.to_ascii_lowercase(), path)))
    }
}

/// Azure Repos has one path behind https, and another one behind ssh.
fn azure_repos(host: &str, path: &str) -> String {
    match (host, path.strip_prefix("v3/")) {
        ("dev.azure.com", _) => format!("{host}/{}", path.replacen("/_git/", "/", 1)),
        ("ssh.dev.azure.com", Some(path)) => format!("dev.azure.com/{path}"),
        _ => format!("{host}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_one_key_whatever_the_protocol() {
        let same = [
            [
                "https://github.com/shop/fleet",
                "git@GitHub.com:shop/fleet.git",
                "ssh://git@github.com:22/shop/fleet/",
            ],
            [
                "https://shop@dev.azure.com/shop/platform/_git/fleet",
                "git@ssh.dev.azure.com:v3/shop/platform/fleet",
                "https://dev.azure.com/shop/platform/_git/fleet/",
            ],
            ["/srv/fleet.git", "file:///srv/fleet", "/srv/fleet/"],
        ];
        for urls in same {
            let keys = urls.map(|url| RepositoryKey::of(url).expect(url));
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        }
        assert_ne!(
            RepositoryKey::of("https://github.com/shop/fleet"),
            RepositoryKey::of("https://github.com/shop/fleets")
        );
        assert_eq!(RepositoryKey::of("oci://ghcr.io/shop/fleet"), None);
    }
}
