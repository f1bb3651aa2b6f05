use hyper::header::HOST;
use hyper::{Request, Version};
use podid_core::arm::ArmId;
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "/metadata/identity/oauth2/token";
const QUERY: &str = "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net%2F";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

/// A request with the one header that every client must send; `headers` may bring another `Host`.
fn request(method: Method, target: &Uri, headers: &HeaderMap) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target.clone();
    *request.headers_mut() = headers.clone();
    let host = request.headers_mut().entry(HOST);
    host.or_insert("169.254.169.254".parse().unwrap());
    request.into_parts().0
}

fn get(target: &str) -> Result<ValidRequest, ErrorAnswer> {
    validate(&request(
        Method::GET,
        &target.parse().unwrap(),
        &headers(&[("metadata", "true")]),
    ))
}

fn status(result: Result<ValidRequest, ErrorAnswer>) -> u16 {
    result.map_or_else(|answer| answer.status.as_u16(), |_| 200)
}

#[test]
fn the_tutorials_request_is_understood() {
    let asked = get(&format!("{TOKEN}?{QUERY}")).unwrap();
    assert_eq!(asked.resource, "https://vault.azure.net/");
    assert_eq!(asked.selector, Selector::Only);
}

#[test]
fn a_probe_without_the_header_is_answered_as_imds_does() {
    for target in [
        TOKEN,
        "/",
        "/latest/meta-data/",
        &format!("{TOKEN}?{QUERY}"),
    ] {
        for pairs in [
            &[][..],
            &[("metadata", "false")],
            &[("metadata", "")],
            &[("metadata", "true"), ("metadata", "false")],
            &[("metadata", "false"), ("metadata", "true")],
            &[("metadata", "true, false")],
        ] {
            let answer = validate(&request(
                Method::GET,
                &target.parse().unwrap(),
                &headers(pairs),
            ))
            .unwrap_err();
            assert_eq!(answer.status, 400, "{target}");
            assert_eq!(answer.error, "invalid_request");
            assert_eq!(answer.description, "Required metadata header not specified");
        }
    }
}

#[test]
fn the_header_is_read_in_any_case() {
    for value in ["true", "True", "TRUE"] {
        let uri = format!("{TOKEN}?{QUERY}").parse().unwrap();
        assert!(
            validate(&request(
                Method::GET,
                &uri,
                &headers(&[("Metadata", value)])
            ))
            .is_ok(),
            "{value}"
        );
    }
    let uri = format!("{TOKEN}?{QUERY}").parse().unwrap();
    let agreeing = headers(&[("metadata", "true"), ("metadata", "True")]);
    assert!(validate(&request(Method::GET, &uri, &agreeing)).is_ok());
}

#[test]
fn forwarded_requests_and_other_methods_are_refused() {
    let uri: Uri = format!("{TOKEN}?{QUERY}").parse().unwrap();
    let forwarded = headers(&[("metadata", "true"), ("x-forwarded-for", "10.0.0.1")]);
    assert_eq!(
        status(validate(&request(Method::GET, &uri, &forwarded))),
        400
    );
    for method in [
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        let plain = headers(&[("metadata", "true")]);
        assert_eq!(
            status(validate(&request(method.clone(), &uri, &plain))),
            405,
            "{method}"
        );
    }
}

#[test]
fn only_the_token_path_is_the_token_path() {
    let table = [
        ("/metadata/identity/oauth2/token", 200),
        ("/Metadata/identity/oauth2/token", 200),
        ("//metadata/identity/oauth2/token", 200),
        ("/metadata//identity/oauth2//token", 200),
        ("/metadata/identity/oauth2/token/", 200),
        ("/Metadata/identity/oauth2/token/", 200),
        ("/metadata/identity/oauth2/token//", 400),
        ("//metadata/identity/oauth2/token/", 400),
        ("/metadata/identity/oauth2/token/.", 400),
        ("/metadata/identity/oauth2/token/%2F", 400),
        ("/metadata/identity/oauth2/token%2F", 400),
        ("/metadata/Identity/oauth2/token", 400),
        ("/metadata/identity/oauth2/tokens", 400),
        ("/metadata/identity/oauth2/token/x", 400),
        ("/metadata/identity/./oauth2/token", 400),
        ("/metadata/x/../identity/oauth2/token", 400),
        ("/metadata/identity%2Foauth2/token", 400),
        ("/metadata/identity/oauth2/%74oken", 400),
        ("/metadata/identity/oauth2/%2574oken", 400),
        ("/metadata/identity\\oauth2\\token", 400),
        ("/metadata/identity/oauth2/token;x", 400),
        ("/metadata/instance", 403),
        ("/metadata/instance/compute", 403),
        ("/METADATA/instance", 403),
        ("/metadata/identity/getplatformmetadata", 404),
        ("/metadata/identity/issuecredential", 404),
        ("/metadata/identity/info", 404),
        ("/metadata/versions", 404),
        ("/latest/meta-data", 404),
        ("/", 404),
    ];
    for (path, expected) in table {
        let Ok(uri) = format!("{path}?{QUERY}").parse::<Uri>() else {
            // The HTTP library refuses it before we see it.
            continue;
        };
        let result = validate(&request(
            Method::GET,
            &uri,
            &headers(&[("metadata", "true")]),
        ));
        assert_eq!(status(result), expected, "{path}");
    }
}

#[test]
fn versions_from_2018_on() {
    for (version, expected) in [
        ("2018-02-01", 200),
        ("2019-08-01", 200),
        ("2025-04-07", 200),
        ("2017-12-01", 400),
        ("latest", 400),
        ("2018-2-1", 400),
        ("", 400),
    ] {
        let target = format!("{TOKEN}?api-version={version}&resource=r");
        assert_eq!(status(get(&target)), expected, "{version}");
    }
    assert_eq!(status(get(&format!("{TOKEN}?resource=r"))), 400);
}

#[test]
fn selectors_of_old_and_new_sdks() {
    let selector = |text: &str| get(&format!("{TOKEN}?{QUERY}&{text}")).map(|asked| asked.selector);
    let resource = Selector::ResourceId(ArmId::new("/subscriptions/x"));
    assert_eq!(
        selector("client_id=c").unwrap(),
        Selector::ClientId("c".into())
    );
    assert_eq!(
        selector("object_id=o").unwrap(),
        Selector::ObjectId("o".into())
    );
    for name in ["msi_res_id", "mi_res_id", "msi-res-id"] {
        assert_eq!(
            selector(&format!("{name}=%2FSubscriptions%2FX")).unwrap(),
            resource
        );
    }
    assert_eq!(selector("client_id=").unwrap(), Selector::Only);
    assert!(selector("client_id=a&object_id=b").is_err());
    assert!(selector("client_id=a&client_id=a").is_err());
    for misspelt in [
        "clientid",
        "client-id",
        "client_id%00",
        "+client_id",
        "client_id[]",
        "objectId",
    ] {
        assert!(selector(&format!("{misspelt}=a")).is_err(), "{misspelt}");
    }
}

#[test]
fn a_name_in_any_letter_case_is_what_it_says() {
    let ask = |query: &str| get(&format!("{TOKEN}?{query}"));
    for name in ["CLIENT_ID", "Client_Id", "client_ID", "%43LIENT_ID"] {
        let asked = ask(&format!("{QUERY}&{name}=c")).unwrap();
        assert_eq!(asked.selector, Selector::ClientId("c".into()), "{name}");
    }
    let asked = ask(&format!("{QUERY}&Object_Id=o")).unwrap();
    assert_eq!(asked.selector, Selector::ObjectId("o".into()));
    let asked = ask(&format!("{QUERY}&MSI_RES_ID=%2Fx")).unwrap();
    assert_eq!(asked.selector, Selector::ResourceId(ArmId::new("/x")));
    assert_eq!(
        ask("API-VERSION=2018-02-01&RESOURCE=R").unwrap().resource,
        "R"
    );
    for twice in [
        "client_id=a&CLIENT_ID=a",
        "CLIENT_ID=a&object_id=b",
        "Resource=r",
        "API-version=2019-08-01",
    ] {
        assert_eq!(status(ask(&format!("{QUERY}&{twice}"))), 400, "{twice}");
    }
}

#[test]
fn one_host_that_is_one() {
    let uri: Uri = format!("{TOKEN}?{QUERY}").parse().unwrap();
    let with = |hosts: &[&str]| {
        let mut request = request(Method::GET, &uri, &headers(&[("metadata", "true")]));
        request.headers.remove(HOST);
        for host in hosts {
            request.headers.append(HOST, host.parse().unwrap());
        }
        request
    };
    for good in [
        "169.254.169.254",
        "169.254.169.254:80",
        "localhost",
        "x",
        "imds:8080",
        "[fd00::1]:80",
        "x:",
    ] {
        assert_eq!(status(validate(&with(&[good]))), 200, "{good}");
    }
    for bad in [
        &[][..],
        &["169.254.169.254", "169.254.169.254"],
        &["169.254.169.254", "evil"],
        &[""],
        &[":80"],
        &["a b"],
        &["a/b"],
        &["a?b"],
        &["user@x"],
        &["x:port"],
        &["x:99999"],
        &["x,y"],
        &["[fd00::1"],
        &["[fd00]"],
        &["imds.example.com"],
        &["x."],
        &["169.254.169.254.nip.io:80"],
    ] {
        let answer = validate(&with(bad)).unwrap_err();
        assert_eq!(
            (answer.status.as_u16(), answer.close),
            (400, true),
            "{bad:?}"
        );
    }
    let mut old = with(&[]);
    old.version = Version::HTTP_10;
    assert_eq!(status(validate(&old)), 200, "HTTP/1.0 has no Host");
}

#[test]
fn a_resource_is_required() {
    for query in ["api-version=2018-02-01", "api-version=2018-02-01&resource="] {
        let answer = get(&format!("{TOKEN}?{query}")).unwrap_err();
        assert_eq!(
            (answer.status.as_u16(), answer.error.as_str()),
            (400, "invalid_request")
        );
    }
}

#[test]
fn what_is_too_large_ends_the_connection() {
    let long = format!("{TOKEN}?{QUERY}&x={}", "a".repeat(TARGET_MAX));
    let answer = get(&long).unwrap_err();
    assert_eq!((answer.status.as_u16(), answer.close), (414, true));
    let many = headers(&[("metadata", "true"), ("x", &"a".repeat(HEADERS_MAX))]);
    let answer = validate(&request(Method::GET, &TOKEN.parse().unwrap(), &many)).unwrap_err();
    assert_eq!((answer.status.as_u16(), answer.close), (431, true));
}

#[test]
fn what_sdks_say_of_themselves_is_passed_on() {
    let uri = format!("{TOKEN}?{QUERY}").parse().unwrap();
    let sent = headers(&[
        ("metadata", "true"),
        ("x-client-SKU", "MSAL.Python"),
        ("x-ms-client-request-id", "1"),
    ]);
    let asked = validate(&request(Method::GET, &uri, &sent)).unwrap();
    assert_eq!(asked.headers.sku.as_deref(), Some("MSAL.Python"));
    assert_eq!(asked.headers.request_id.as_deref(), Some("1"));
}

proptest! {
    #[test]
    fn no_request_brings_it_down(target in "(/metadata/identity/oauth2/token[?])?[ -~]{0,80}") {
        if let Ok(uri) = target.parse::<Uri>() {
            let _answered = validate(&request(Method::GET, &uri, &headers(&[("metadata", "true")])));
        }
    }

    #[test]
    fn no_other_path_is_taken_for_the_token_path(
        from in 0..=TOKEN.len(),
        taken in 0..4usize,
        put in "[a-zA-Z0-9%./\\\\;:-]{0,3}",
    ) {
        let to = (from + taken).min(TOKEN.len());
        let path = [&TOKEN[..from], &put, &TOKEN[to..]].concat();
        let plain = path.split('/').filter(|s| !s.is_empty()).collect::<Vec<_>>().join("/");
        let same = plain.eq_ignore_ascii_case("metadata/identity/oauth2/token");
        prop_assume!(!same || (path.ends_with('/') && path.contains("//")));
        prop_assert!(check_path(&path).is_err(), "{path}");
    }
}
