//! How a pull request is opened at a host of git repositories.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::RepositoryLocation;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The page at which a pull request from `branch` into `base` is opened; `None` for a host whose pages are not known.
pub(crate) fn page(location: &RepositoryLocation, branch: &str, base: &str) -> Option<String> {
    let (host, path) = match location {
        RepositoryLocation::Folder(_) => return None,
        RepositoryLocation::Http(http) => (http.url.host_str()?, http.url.path().to_owned()),
        RepositoryLocation::Ssh(ssh) => (ssh.host.as_str(), ssh.path.clone()),
    };
    let path = path.trim_matches('/').trim_end_matches(".git");
    let (branch, base) = (encoded(branch), encoded(base));
    if let Some(repository) = azure(host, path) {
        return Some(format!(
            "{repository}/pullrequestcreate?sourceRef={branch}&targetRef={base}"
        ));
    }
    if host.contains("gitlab") {
        return Some(format!(
            "https://{host}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}\
             &merge_request%5Btarget_branch%5D={base}"
        ));
    }
    host.contains("github")
        .then(|| format!("https://{host}/{path}/compare/{base}...{branch}?expand=1"))
}

/// The web address of a repository in Azure Repos.
fn azure(host: &str, path: &str) -> Option<String> {
    match (host, path.split('/').collect::<Vec<_>>().as_slice()) {
        ("ssh.dev.azure.com", ["v3", organization, project, repository]) => Some(format!(
            "https://dev.azure.com/{organization}/{project}/_git/{repository}"
        )),
        ("dev.azure.com", [_, _, "_git", _]) => Some(format!("https://{host}/{path}")),
        _ if host.ends_with(".visualstudio.com") => Some(format!("https://{host}/{path}")),
        _ => None,
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_hosts_have_their_page_and_others_none() {
        let cases = [
            (
                "git@github.com:shop/fleet.git",
                "https://github.com/shop/fleet/compare/main...a%2Fb?expand=1",
            ),
            (
                "https://u:secret@gitlab.example.com/shop/sub/fleet.git",
                "https://gitlab.example.com/shop/sub/fleet/-/merge_requests/new?merge_request%5Bsource_branch%5D=a%2Fb&merge_request%5Btarget_branch%5D=main",
            ),
            (
                "https://shop@dev.azure.com/shop/fleet/_git/fleet",
                "https://dev.azure.com/shop/fleet/_git/fleet/pullrequestcreate?sourceRef=a%2Fb&targetRef=main",
            ),
            (
                "git@ssh.dev.azure.com:v3/shop/fleet/fleet",
                "https://dev.azure.com/shop/fleet/_git/fleet/pullrequestcreate?sourceRef=a%2Fb&targetRef=main",
            ),
        ];
        for (url, wanted) in cases {
            let location = RepositoryLocation::parse(url, false).unwrap();
            assert_eq!(
                page(&location, "a/b", "main").as_deref(),
                Some(wanted),
                "{url}"
            );
        }
        for url in ["https://git.example.com/a", "/srv/github/a"] {
            let location = RepositoryLocation::parse(url, false).unwrap();
            assert_eq!(page(&location, "a", "main"), None, "{url}");
        }
    }
}
