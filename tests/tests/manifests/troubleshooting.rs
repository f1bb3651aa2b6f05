//! What the pages say of the chart's values, as helm says it.

use podid_tests::manifests::{chart, run_helm};
use podid_tests::pages::{blocks, page, section};
use serde_json::Value;

/// What helm says of the chart with one more value.
fn rendered(value: &str) -> Result<String, String> {
    let chart = chart().display().to_string();
    let id = "7e4a4700-0000-4000-8000-000000000001";
    let facts = ["tenantId", "clientId"].map(|name| format!("--set=operator.settings.{name}={id}"));
    let value = format!("--set={value}");
    run_helm(&["template", "podid", &chart, &facts[0], &facts[1], &value])
}

#[test]
fn a_value_that_the_chart_does_not_know_is_refused_in_the_words_of_the_page() {
    let section = section(
        &page("docs/troubleshooting.md"),
        "The chart refuses a value",
    );
    let quoted = blocks(&section, "text").remove(0);
    let said = rendered("operator.replica=2").unwrap_err();
    assert!(said.contains(quoted.trim()), "{said}");
}

#[test]
fn the_chart_takes_the_value_that_the_page_about_flux_patches_into_the_release() {
    let page = page("docs/flux.md");
    let block = blocks(&page, "yaml");
    let block = block
        .iter()
        .find(|block| block.contains("kind: HelmRelease"))
        .unwrap();
    let kustomization: Value = serde_saphyr::from_str(block).unwrap();
    let patch = kustomization["patches"][0]["patch"].as_str().unwrap();
    let patch: Value = serde_saphyr::from_str(patch).unwrap();
    let path = patch[0]["path"].as_str().unwrap();
    let value = path
        .strip_prefix("/spec/values/")
        .unwrap()
        .replace('/', ".");
    let rendered = rendered(&format!("{value}={}", patch[0]["value"])).unwrap();
    assert!(rendered.contains("replicas: 3\n"), "{rendered}");
}
