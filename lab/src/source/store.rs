//! The artifacts, in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use k8s_openapi::jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::api::ArtifactStatus;
use crate::hex::hex;

/// How many artifacts of one source are kept: the newest, and the one before it for readers that
/// still have its address.
const KEPT: usize = 2;

/// One source of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `gitrepository` or `helmchart`, as in source-controller's paths.
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(
        kind: &'static str,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// An archive and what is said about it.
#[derive(Clone, Debug)]
pub(super) struct Artifact {
    pub(super) status: ArtifactStatus,
    pub(super) bytes: Bytes,
}

/// All artifacts of the lab. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Store {
    address: SocketAddr,
    artifacts: Arc<Mutex<BTreeMap<Key, Vec<Artifact>>>>,
}

impl Store {
    /// An empty store whose artifacts are served at `address`.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            artifacts: Arc::default(),
        }
    }

    /// The newest artifact of a source.
    pub(super) fn newest(&self, key: &Key) -> Option<Artifact> {
        self.lock().get(key)?.last().cloned()
    }

    /// Keeps an archive as the newest artifact of a source.
    pub(super) fn put(
        &self,
        key: &Key,
        file: &str,
        revision: String,
        archive: Vec<u8>,
    ) -> Artifact {
        let path = format!("{}/{}/{}/{file}", key.kind, key.namespace, key.name);
        let digest = hex(&Sha256::digest(&archive));
        let artifact = Artifact {
            status: ArtifactStatus {
                url: format!("http://{}/{path}", self.address),
                path,
                revision,
                digest: format!("sha256:{digest}"),
                last_update_time: format!("{:.0}", Timestamp::now()),
                size: archive.len() as u64,
            },
            bytes: archive.into(),
        };
        let mut all = self.lock();
        let kept = all.entry(key.clone()).or_default();
        // The same commit once more, or with other files left out.
        let is_same = |kept: &Artifact| kept.status.path == artifact.status.path;
        let before = kept.iter().position(is_same).map(|at| kept.remove(at));
        let unchanged = before.filter(|before| before.status.digest == artifact.status.digest);
        let artifact = unchanged.unwrap_or(artifact);
        kept.push(artifact.clone());
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
        artifact
    }

    /// The archive at a path, while it is kept.
    pub(super) fn at(&self, path: &str) -> Option<Bytes> {
        let all = self.lock();
        let mut artifacts = all.values().flatten();
        artifacts
            .find(|artifact| artifact.status.path == path)
            .map(|artifact| artifact.bytes.clone())
    }

    /// Forgets a source that is no more.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Artifact>>> {
        self.artifacts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_two_artifacts_can_be_fetched() {
        let store = Store::new(([127, 0, 0, 1], 80).into());
        let key = Key::new("gitrepository", "flux-system", "fleet");
        for n in 1..=3 {
            store.put(&key, &format!("{n}.tar.gz"), format!("r{n}"), vec![n]);
        }
        assert_eq!(store.newest(&key).unwrap().status.revision, "r3");
        let at = |n| store.at(&format!("gitrepository/flux-system/fleet/{n}.tar.gz"));
        assert_eq!((at(1), at(2)), (None, Some(vec![2].into())));
        assert!(
            store
                .newest(&key)
                .unwrap()
                .status
                .last_update_time
                .ends_with('Z')
        );
        store.forget(&key);
        assert_eq!(at(3), None);
    }
}
