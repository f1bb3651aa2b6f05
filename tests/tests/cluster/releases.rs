//! The release of Kubernetes that the ring is run on.

use podid_tests::pages::page;

use crate::fixture::{Space, asked_release};

/// The oldest minor version of Kubernetes 1 that the chart says podid works on.
fn oldest() -> u32 {
    let chart: serde_json::Value =
        serde_saphyr::from_str(&page("charts/podid/Chart.yaml")).unwrap();
    let range = chart["kubeVersion"].as_str().unwrap();
    let minor = range.strip_prefix(">=1.").unwrap();
    minor.split('.').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_api_server_is_of_the_release_that_was_asked_for() {
    let space = Space::new("release").await;
    let version = space.client.apiserver_version().await.unwrap();
    let release = format!("{}.{}", version.major, version.minor.trim_end_matches('+'));
    if let Some(asked) = asked_release() {
        assert_eq!(release, asked.to_string());
    }
    let minor: u32 = release.strip_prefix("1.").unwrap().parse().unwrap();
    assert!(minor >= oldest(), "{release} is too old for podid");
}

#[test]
fn the_oldest_release_of_the_lab_is_the_oldest_that_the_chart_admits() {
    assert_eq!(
        podid_lab::Kubernetes::V1_30.to_string(),
        format!("1.{}", oldest())
    );
}
