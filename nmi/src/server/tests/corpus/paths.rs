//! Paths that resemble the token path. The predecessor's router cases and the variants with backslashes by which its
//! pods once got past it (CVE-2022-23551) are among them.

use super::{Case, QUERY, case, get};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |paths: &[&str], statuses: &'static [u16]| {
        for path in paths {
            cases.push(case(get(&format!("{path}?{QUERY}")), statuses));
        }
    };
    add(
        &[
            "/metadata/identity/oauth2/token",
            "/metadata/identity/oauth2/token/",
            "/Metadata/identity/oauth2/token",
            "/Metadata/identity/oauth2/token/",
            "/METADATA/identity/oauth2/token",
            "//metadata/identity/oauth2/token",
            "/metadata//identity///oauth2//token",
        ],
        &[200],
    );
    add(
        &[
            "/metadata/instance",
            "/Metadata/instance",
            "/metadata/instance/compute",
            "/metadata/Instance/",
        ],
        &[403],
    );
    add(
        &[
            "/",
            "/host/token",
            "/host/token/",
            "/host/TOKEN",
            "/metadata",
            "/metadata/",
            "/metadata/versions",
            "/metadata/attested/document",
            "/metadata/scheduledevents",
            "/metadata/identity",
            "/metadata/identity/info",
            "/metadata/identity/oauth2",
            "/metadata/identity/getplatformmetadata",
            "/metadata/identity/issuecredential",
            "/metadata/x/../instance",
            "/latest/meta-data/iam/security-credentials/",
            "/computeMetadata/v1/instance/service-accounts/default/token",
            "/oauth2/token",
            "/token",
            "/machine?comp=goalstate",
            "/healthz",
            "/metrics",
        ],
        &[404],
    );
    add(
        &[
            // Backslashes.
            "/metadata/identity\\oauth2\\token",
            "/metadata\\identity\\oauth2\\token",
            "/metadata/identity/oauth2\\token",
            "/metadata\\identity/oauth2/token",
            "/metadata/identity\\oauth2/token",
            "\\metadata\\identity\\oauth2\\token",
            "/\\metadata/identity/oauth2/token",
            "/metadata/identity/oauth2/token\\",
            "/metadata/identity/oauth2/\\token",
            "/metadata/identity%5Coauth2%5Ctoken",
            "/metadata/identity%255coauth2%255ctoken",
            // Dot segments.
            "/./metadata/identity/oauth2/token",
            "/metadata/./identity/oauth2/token",
            "/metadata/identity/oauth2/token/.",
            "/metadata/identity/oauth2/token/..",
            "/metadata/identity/oauth2/x/../token",
            "/metadata/identity/oauth2/token/../token",
            "/x/../metadata/identity/oauth2/token",
            "/../metadata/identity/oauth2/token",
            "/metadata/instance/../identity/oauth2/token",
            "/metadata/%2e%2e/metadata/identity/oauth2/token",
            "/metadata/identity/%2e/oauth2/token",
            "/metadata/identity/oauth2/token%2f..",
            // Encodings.
            "/%6detadata/identity/oauth2/token",
            "/metadata/identity/oauth2/%74oken",
            "/metadata/identity/oauth2/%2574oken",
            "/metadata%2Fidentity%2Foauth2%2Ftoken",
            "/metadata/identity%2foauth2/token",
            "/metadata/identity%252foauth2/token",
            "/metadata/identity/oauth2/token%00",
            "/metadata/identity/oauth2/token%20",
            "/metadata/identity/oauth2/token%3f",
            "/metadata/identity/oauth2/token%23",
            "/metadata/identity/oauth2/token%",
            "/metadata/identity/oauth2/token%zz",
            "/metadata/identity/oauth2/token%0d%0aMetadata:%20true",
            "%2Fmetadata/identity/oauth2/token",
            // Parameters, ends and case.
            "/metadata/identity/oauth2/token;x=y",
            "/metadata/identity/oauth2;x/token",
            "/metadata;x/identity/oauth2/token",
            "/metadata/identity/oauth2/token.json",
            "/metadata/identity/oauth2/tokens",
            "/metadata/identity/oauth2/token/x",
            "/metadata/identity/oauth2/token//",
            "//metadata/identity/oauth2/token/",
            "/metadata/Identity/oauth2/token",
            "/metadata/identity/OAuth2/token",
            "/metadata/identity/oauth2/Token",
            "/x/metadata/identity/oauth2/token",
            // Signs that are in no target.
            "/metadata/identity/oauth2/token\u{e9}",
            "/metadata/identity/oauth2/token\0",
            "/metadata/identity/oauth2/token\t",
            "/metadata/identity/oauth2/token x",
            "/metadata/identity/oauth2/\"token\"",
            "/metadata/identity/oauth2/{token}",
            "/metadata/identity/oauth2/<token>",
            "/metadata/identity/oauth2/token|",
            "/metadata/identity/oauth2/token^",
            "/metadata/identity/oauth2/token`",
        ],
        &[400],
    );
    cases
}
