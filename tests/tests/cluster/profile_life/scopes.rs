//! Rights at places that the class gives a name.

use podid_lab::layout::RESOURCE_GROUP;
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, group, says, status, vault};
use crate::fixture::eventually;

fn names(scopes: &[(&str, String)]) -> Value {
    let one = |(name, id): &(&str, String)| json!({ "name": name, "id": id });
    json!({ "scopes": scopes.iter().map(one).collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_name_of_the_class_is_granted_where_the_class_says_and_moves_with_it() {
    let scene = Scene::without_class("named-scope").await;
    scene.class(names(&[("secrets", vault())])).await;
    let spec = json!({ "access": [access(READS_SECRETS, "secrets")] });
    let profile = scene.ready("cart", spec).await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    let right = |scope: &str| format!("{READS_SECRETS} {scope}");
    assert_eq!(scene.rights(&principal).await, [right(&vault())].into());
    let recorded = status(&profile).role_assignments.expect("recorded");
    assert!(
        recorded.iter().any(|one| one.scope == vault()),
        "the status names the id: {recorded:?}"
    );

    let other = group(RESOURCE_GROUP);
    scene.class(names(&[("secrets", other.clone())])).await;
    eventually("the right at the new place only", async || {
        (scene.rights(&principal).await == [right(&other)].into()).then_some(())
    })
    .await;
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
    assert!(scene.rights(&principal).await.is_empty());
}

#[tokio::test]
async fn a_name_that_the_class_does_not_give_stalls_without_a_call() {
    let scene = Scene::without_class("unnamed-scope").await;
    let asks = json!({ "access": [access(READS_SECRETS, "secrets")] });
    // Before its class, or the API server would refuse it.
    scene.profile("cart", asks.clone()).await;
    scene.class(names(&[("vault", vault())])).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&profile, "Ready");
    assert_eq!(reason, "NotAllowedByClass");
    let words =
        "spec.access[0].scope: \"secrets\" is not a scope that its class names (it names vault)";
    assert!(message.starts_with(words), "{message}");
    assert_eq!(scene.calls().await, [""; 0]);

    eventually("the API server knows the class", async || {
        (!scene.try_profile("later", asks.clone()).await).then_some(())
    })
    .await;
    scene.class(names(&[("secrets", vault())])).await;
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn a_name_taken_from_the_class_takes_no_right_away() {
    let scene = Scene::without_class("lost-scope").await;
    scene.class(names(&[("secrets", vault())])).await;
    let spec = json!({ "access": [access(READS_SECRETS, "secrets")] });
    let profile = scene.ready("cart", spec).await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    let held = scene.rights(&principal).await;
    scene.class(json!({})).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    assert!(says(&profile, "Ready").1.contains("(it names none)"));
    assert_eq!(scene.rights(&principal).await, held);
    scene.delete("cart").await;
    assert!(scene.rights(&principal).await.is_empty());
}
