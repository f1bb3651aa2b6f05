use proptest::prelude::*;
use serde_json::json;

use super::*;

const TEXT: &str = "\
# Checkout's own file
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata: {name: checkout, namespace: 'payments'} # inline
spec:
  # The class of all clusters
  className: \"standard\" # quoted

  access:
  # reads secrets
  - role: Reader # why
    scope: /subscriptions/s
  - scope: /subscriptions/t
    role: Owner
  interval: 10m
  binding:
    serviceAccounts: [web, 'worker']
";

fn done(changes: &[Edit]) -> String {
    changes.iter().fold(TEXT.to_owned(), |text, change| {
        edit(&text, 0, change).unwrap()
    })
}

#[test]
fn a_value_is_replaced_with_the_users_own_quotes() {
    let new = done(&[
        Edit::Set(vec!["spec", "className"], json!("gold")),
        Edit::Set(vec!["metadata", "namespace"], json!("shop")),
        Edit::Set(vec!["spec", "interval"], json!("5m")),
    ]);
    let wanted = TEXT
        .replace("\"standard\"", "\"gold\"")
        .replace("'payments'", "'shop'")
        .replace("10m", "5m");
    assert_eq!(new, wanted);
}

#[test]
fn what_is_new_comes_after_what_is_there() {
    let new = done(&[
        Edit::Set(vec!["spec", "suspend"], json!(true)),
        Edit::Set(vec!["spec", "binding", "selector"], json!("on")),
        Edit::SetKey(vec!["spec", "identity", "tags"], "cost".into(), json!("7")),
        Edit::SetKey(vec!["metadata", "labels"], "a.b/c".into(), json!("x: y")),
    ]);
    let wanted = TEXT.replace(
        "namespace: 'payments'}",
        "namespace: 'payments', labels: {a.b/c: \"x: y\"}}",
    ) + "    selector: \"on\"\n  suspend: true\n  identity:\n    tags:\n      cost: \"7\"\n";
    assert_eq!(new, wanted);
}

#[test]
fn items_are_added_and_removed_and_their_neighbours_keep_comments() {
    let right = |role: &str, scope: &str| json!({"role": role, "scope": scope});
    let new = done(&[
        Edit::Add(vec!["spec", "access"], right("AcrPull", "/subscriptions/u")),
        // It has that one already.
        Edit::Add(vec!["spec", "access"], right("Reader", "/subscriptions/s")),
        Edit::Add(vec!["spec", "binding", "serviceAccounts"], json!("y")),
        Edit::Remove(vec!["spec", "access"], right("Owner", "/subscriptions/t")),
        Edit::Remove(vec!["spec", "binding", "serviceAccounts"], json!("web")),
    ]);
    let wanted = TEXT
        .replace(
            "  - scope: /subscriptions/t\n    role: Owner\n",
            "  - role: AcrPull\n    scope: /subscriptions/u\n",
        )
        .replace("[web, 'worker']", "['worker', \"y\"]");
    assert_eq!(new, wanted);
}

#[test]
fn what_is_left_empty_goes_too() {
    let new = done(&[
        Edit::Remove(vec!["spec", "binding", "serviceAccounts"], json!("web")),
        Edit::Remove(vec!["spec", "binding", "serviceAccounts"], json!("worker")),
        Edit::Unset(vec!["spec".into(), "interval".into()]),
    ]);
    let end = TEXT.find("  interval").unwrap();
    assert_eq!(new, TEXT[..end]);
}

#[test]
fn lines_end_as_they_did_and_other_documents_stay() {
    let text = format!(
        "a: 1\r\n---\r\n---\r\n{}...\r\n",
        TEXT.replace('\n', "\r\n")
    );
    let change = Edit::Set(vec!["spec", "suspend"], json!(true));
    let new = edit(&text, 1, &change).unwrap();
    assert_eq!(new, text.replace("...", "  suspend: true\r\n..."));
    // Without a line end at the end, too.
    let new = edit(TEXT.trim_end(), 0, &change).unwrap();
    assert_eq!(new, format!("{TEXT}  suspend: true\n"));
}

#[test]
fn what_would_touch_more_is_refused() {
    let aliased = "a: &a {x: 1}\nspec: *a\n";
    let merged = "a: &a {x: 1}\nspec:\n  <<: *a\n  y: 2\n";
    let anchored = "spec: {x: &x 1, y: *x}\n";
    let block = "spec:\n  x: |\n    one\n    two\n  z: 1\n";
    let set = |key: &'static str| Edit::Set(vec!["spec", key], json!(5));
    for (text, change) in [
        (aliased, set("x")),
        (merged, Edit::Unset(vec!["spec".into(), "x".into()])),
        (anchored, set("x")),
        (block, set("x")),
    ] {
        let refused = edit(text, 0, &change);
        assert!(
            matches!(refused, Err(EditError::Layout(_))),
            "{text}: {refused:?}"
        );
    }
    let missing = Edit::Unset(vec!["spec".into(), "q".into()]);
    assert_eq!(
        edit(block, 0, &missing),
        Err(EditError::Nothing("spec.q".into()))
    );
    assert!(edit(block, 7, &set("z")).is_err());
}

fn changes() -> impl Strategy<Value = Edit> {
    let text = "[ -~é]{0,12}";
    prop_oneof![
        text.prop_map(|value| Edit::Set(vec!["spec", "className"], value.into())),
        text.prop_map(|value| Edit::Set(vec!["spec", "identity", "name"], value.into())),
        (text, text).prop_map(|(key, value)| {
            Edit::SetKey(vec!["spec", "identity", "tags"], key, value.into())
        }),
        text.prop_map(|value| Edit::Add(vec!["spec", "binding", "serviceAccounts"], value.into())),
        (text, text).prop_map(|(role, scope)| {
            Edit::Add(
                vec!["spec", "access"],
                json!({"role": role, "scope": scope}),
            )
        }),
        Just(Edit::Remove(
            vec!["spec", "access"],
            json!({"role": "Reader", "scope": "/subscriptions/s"})
        )),
        prop::sample::select(vec![
            "className",
            "access",
            "interval",
            "binding",
            "identity"
        ])
        .prop_map(|key| Edit::Unset(vec!["spec".into(), key.to_owned()])),
    ]
}

proptest! {
    #[test]
    fn any_change_is_made_in_full_and_every_comment_outside_of_it_stays(
        changes in prop::collection::vec(changes(), 1..5),
    ) {
        let mut text = TEXT.to_owned();
        for change in &changes {
            let Ok(new) = edit(&text, 0, change) else { continue };
            let mut wanted = values(&text).unwrap();
            change.in_value(&mut wanted[0]).unwrap();
            prop_assert_eq!(values(&new).unwrap(), wanted);
            text = new;
        }
        // A spec of which nothing is left goes with what is said in it.
        let has_spec = values(&text).unwrap()[0].get("spec").is_some();
        let within = has_spec.then_some("# The class of all clusters");
        for comment in ["# Checkout's own file", "# inline"].into_iter().chain(within) {
            prop_assert!(text.contains(comment), "{comment}: {text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z:\\- {}\\[\\],&*|>'\"#\n\té]{0,60}", change in changes()) {
        let _any = edit(&text, 0, &change);
    }
}
