//! Which of Flux's sources are the tree itself.

use crate::repository::remote::RepositoryKey;
use crate::tree::object::DeclaredObject;
use crate::tree::own_sources::OwnSources;

/// A source, as a Kustomization refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceRef {
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl SourceRef {
    /// `spec.sourceRef` of a Kustomization.
    pub(super) fn of(kustomization: &DeclaredObject) -> Self {
        let field = |name: &str| kustomization.value["spec"]["sourceRef"][name].as_str();
        let namespace = field("namespace").or(kustomization.namespace());
        Self {
            kind: field("kind").unwrap_or("GitRepository").to_owned(),
            namespace: namespace.map(str::to_owned),
            name: field("name").unwrap_or("?").to_owned(),
        }
    }

    /// The source that Flux's operator makes for `spec.sync` of a FluxInstance.
    pub(super) fn of_instance(instance: &DeclaredObject) -> Option<Self> {
        let sync = &instance.value["spec"]["sync"];
        let namespace = instance.namespace();
        let name = sync["name"].as_str().or(namespace);
        Some(Self {
            kind: sync["kind"].as_str()?.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.unwrap_or("flux-system").to_owned(),
        })
    }

    /// Its object.
    pub(super) fn declared<'a>(&self, objects: &'a [DeclaredObject]) -> Option<&'a DeclaredObject> {
        objects.iter().find(|object| {
            object.group() == "source.toolkit.fluxcd.io"
                && object.kind() == self.kind
                && object.name() == self.name
                && object.namespace() == self.namespace.as_deref()
        })
    }

    /// Whether it is made of this tree. `sync` is the source of the Kustomization that applies the folder that is
    /// planned, `declared` its own object. What is declared nowhere and is all that is known is taken for the
    /// repository that Flux was bootstrapped with.
    pub(super) fn is_own(
        &self,
        own: &OwnSources,
        sync: Option<&Self>,
        declared: Option<&DeclaredObject>,
    ) -> bool {
        if own.named.contains(&self.flag()) || sync == Some(self) {
            return true;
        }
        match declared {
            Some(object) => {
                let key = url(object).and_then(RepositoryKey::of);
                key.is_some_and(|key| own.remotes.contains(&key))
            }
            None => sync.is_none() && self.kind == "GitRepository",
        }
    }

    /// As people name it.
    pub(super) fn flag(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// As `GitRepository shop/team of https://git.example.com/shop/team`.
    pub(super) fn described(&self, declared: Option<&DeclaredObject>) -> String {
        let of = declared.and_then(url).map(|url| format!(" of {url}"));
        let namespace = self.namespace.iter().map(|it| format!("{it}/"));
        let namespace: String = namespace.collect();
        format!(
            "{} {namespace}{}{}",
            self.kind,
            self.name,
            of.unwrap_or_default()
        )
    }
}

fn url(source: &DeclaredObject) -> Option<&str> {
    source.value["spec"]["url"].as_str()
}
