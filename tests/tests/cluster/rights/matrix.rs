//! The table of docs/rights.md holds: for each who, each kind and each verb, by what the API server says and by what it
//! does.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use podid_tests::pages::page;
use serde_json::json;

use super::people::{Who, everybody};
use super::verbs::{Call, VERBS, words};
use crate::fixture::{Space, new_namespace};

/// A column of the table.
struct Kind {
    kind: String,
    subresource: Option<String>,
    group: &'static str,
    version: &'static str,
    plural: String,
    namespaced: bool,
}

impl Kind {
    fn parse(heading: &str) -> Self {
        let (kind, subresource) = match heading.split_once('/') {
            Some((kind, subresource)) => (kind, Some(subresource.to_owned())),
            None => (heading, None),
        };
        let (group, version) = match kind.starts_with("PodIdentity") {
            true => ("podid.dev", "v1alpha1"),
            false => ("aadpodidentity.k8s.io", "v1"),
        };
        let plural = match kind {
            "PodIdentityClass" => "podidentityclasses".to_owned(),
            _ => format!("{}s", kind.to_lowercase()).replace("identitys", "identities"),
        };
        Self {
            kind: kind.to_owned(),
            subresource,
            group,
            version,
            plural,
            namespaced: kind != "PodIdentityClass",
        }
    }

    /// The verbs that there are for it.
    fn verbs(&self) -> impl Iterator<Item = &'static str> {
        let of_status = ["get", "update", "patch"];
        let all = self.subresource.is_none();
        VERBS
            .into_iter()
            .filter(move |verb| all || of_status.contains(verb))
    }
}

/// Who it is of, and the verbs of each cell.
type Row = (String, Vec<BTreeSet<&'static str>>);

/// Columns and rows of the table.
fn table() -> (Vec<Kind>, Vec<Row>) {
    let page = page("docs/rights.md");
    let mut rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| who | PodIdentityProfile"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
        });
    let kinds = rows.next().expect("a heading");
    let kinds = kinds.into_iter().skip(1).map(Kind::parse).collect();
    let rows = rows.skip(1).map(|row| {
        (
            row[0].to_owned(),
            row[1..].iter().map(|cell| words(cell)).collect(),
        )
    });
    (kinds, rows.collect())
}

/// What the API server says that somebody may do.
async fn may(space: &Space, who: &Who, kind: &Kind, verb: &str, namespace: &str) -> bool {
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(kind.group.to_owned()),
        resource: Some(kind.plural.clone()),
        subresource: kind.subresource.clone(),
        namespace: kind.namespaced.then(|| namespace.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.user.clone()),
            groups: Some(who.groups.clone()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(space.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await;
    answer.unwrap().status.expect("an answer").allowed
}

/// One object of each kind in a namespace, and a class of the same name.
async fn furnish(space: &Space) {
    for (kind, spec) in crate::people::platform_kinds() {
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind,
            "metadata": {"name": space.name}, "spec": spec,
        });
        space.create(kind, object, false).await.unwrap();
    }
    for (kind, spec) in [
        ("PodIdentityProfile", crate::cases::profile(json!({}))),
        ("PodIdentityClass", crate::cases::class(json!({}))),
    ] {
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": kind,
            "metadata": {"name": space.name}, "spec": spec,
        });
        space.create(kind, object, false).await.unwrap();
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let space = Space::new("matrix").await;
    furnish(&space).await;
    let other = Space {
        client: space.client.clone(),
        name: new_namespace(&space.client, "matrix").await,
    };
    let everybody = everybody(&space).await;
    let (kinds, rows) = table();
    let named: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let known: Vec<&str> = everybody.iter().map(|who| who.name).collect();
    assert_eq!(named, known, "the rows of the table");
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (who, (_, cells)) in everybody.iter().zip(&rows) {
        for (kind, allowed) in kinds.iter().zip(cells) {
            for (place, is_own) in [(&space, true), (&other, false)] {
                if !is_own && !kind.namespaced {
                    continue;
                }
                for verb in kind.verbs() {
                    let expected = allowed.contains(verb) && (is_own || who.is_of_cluster);
                    let said = may(&space, who, kind, verb, &place.name).await;
                    let call = Call {
                        verb,
                        group: kind.group,
                        version: kind.version,
                        kind: &kind.kind,
                        plural: &kind.plural,
                        subresource: kind.subresource.as_deref(),
                        namespace: kind.namespaced.then_some(place.name.as_str()),
                        name: &space.name,
                    };
                    let done = call.is_let_through(&who.space).await;
                    tried += 1;
                    if (said, done) != (expected, expected) {
                        let what = format!("{} {verb} {} in {}", who.name, kind.plural, place.name);
                        wrong.push(format!(
                            "{what}: said {said}, done {done}, written {expected}"
                        ));
                    }
                }
            }
        }
    }
    space.remove_class(&space.name).await;
    assert_eq!(wrong, [""; 0]);
    assert!(tried > 900, "{tried}");
}
