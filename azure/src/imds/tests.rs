use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
};
use tokio::net::TcpListener;

use super::{
    ClientHeaders, Imds, ImdsError, ImdsIdentity, ImdsOptions, ImdsTokenRequest, ImdsTokens,
};

const TOKEN: &str = r#"{"access_token":"a.b.c","client_id":"c","expires_in":"86399",
    "expires_on":"1795250000","ext_expires_in":"86399","not_before":"1795163300",
    "resource":"https://vault.azure.net","token_type":"Bearer"}"#;

type Seen = Arc<Mutex<Vec<(Uri, HeaderMap)>>>;

/// An IMDS that gives one answer to everything.
async fn imds(status: u16, body: &'static str) -> (Imds, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let app = Router::new().fallback(move |request: Request| async move {
        let (parts, _) = request.into_parts();
        log.lock().unwrap().push((parts.uri, parts.headers));
        (
            StatusCode::from_u16(status).unwrap(),
            [("Retry-After", "3")],
            body,
        )
            .into_response()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (
        Imds::new(ImdsOptions {
            base_url,
            ..ImdsOptions::default()
        })
        .unwrap(),
        seen,
    )
}

fn request() -> ImdsTokenRequest {
    ImdsTokenRequest {
        identity: ImdsIdentity::ClientId("c".to_owned()),
        resource: "https://vault.azure.net/".to_owned(),
        headers: ClientHeaders {
            sku: Some("MSAL.Python".to_owned()),
            ..ClientHeaders::default()
        },
        bypass_cache: false,
    }
}

#[tokio::test]
async fn the_wish_for_a_token_that_was_not_kept_is_passed_on() {
    let (imds, seen) = imds(200, TOKEN).await;
    let request = ImdsTokenRequest {
        bypass_cache: true,
        ..request()
    };
    imds.token(&request).await.unwrap();
    let (uri, _) = seen.lock().unwrap()[0].clone();
    assert!(
        uri.query()
            .unwrap()
            .ends_with("&client_id=c&bypass_cache=true"),
        "{uri}"
    );
}

#[tokio::test]
async fn a_token_is_asked_for_as_the_sdks_ask() {
    let (imds, seen) = imds(200, TOKEN).await;
    let token = imds.token(&request()).await.unwrap();
    assert_eq!(token.access_token.expose(), "a.b.c");
    assert_eq!(
        (token.expires_in, token.expires_on),
        (86_399, 1_795_250_000)
    );
    assert!(!format!("{token:?}").contains("a.b.c"));
    let (uri, headers) = seen.lock().unwrap()[0].clone();
    assert_eq!(
        uri,
        "/metadata/identity/oauth2/token?api-version=2018-02-01\
         &resource=https%3A%2F%2Fvault.azure.net%2F&client_id=c"
    );
    assert_eq!(headers["metadata"], "true");
    assert_eq!(headers["x-client-sku"], "MSAL.Python");
    assert!(!headers.contains_key("x-client-ver") && !headers.contains_key("x-forwarded-for"));
}

#[tokio::test]
async fn an_error_is_kept_for_passing_on() {
    let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    let error = imds(400, body).await.0.token(&request()).await.unwrap_err();
    assert!(error.is_identity_not_found() && !error.is_retryable());
    let ImdsError::Refused {
        status,
        error,
        description,
        retry_after,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((status, error.as_str()), (400, "invalid_request"));
    assert_eq!(description, "Identity not found");
    assert_eq!(retry_after, Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn an_updating_or_broken_service_is_retryable_whatever_its_body() {
    for (status, body) in [
        (410, ""),
        (404, "<html>"),
        (429, "{}"),
        (500, "[]"),
        (503, "null"),
    ] {
        let error = imds(status, body)
            .await
            .0
            .token(&request())
            .await
            .unwrap_err();
        assert!(error.is_retryable(), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_an_error() {
    for body in [
        "",
        "{}",
        r#"{"access_token":"x","expires_in":"","expires_on":"1"}"#,
    ] {
        let error = imds(200, body).await.0.token(&request()).await.unwrap_err();
        assert!(
            matches!(error, ImdsError::Malformed(_)),
            "{body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_service_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(50);
    let imds = Imds::new(ImdsOptions { base_url, timeout }).unwrap();
    let error = imds.token(&request()).await.unwrap_err();
    assert!(matches!(error, ImdsError::Timeout { .. }), "{error:?}");
    drop(listener);
    let error = imds.token(&request()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[test]
fn only_plain_http_is_taken() {
    for base_url in ["https://169.254.169.254", "169.254.169.254", ""] {
        let options = ImdsOptions {
            base_url: base_url.to_owned(),
            ..ImdsOptions::default()
        };
        assert!(
            matches!(Imds::new(options), Err(ImdsError::Setup { .. })),
            "{base_url}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let endless = async |status| {
        let app = Router::new().fallback(async move || {
            let chunks =
                futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
            let body = axum::body::Body::from_stream(chunks);
            (StatusCode::from_u16(status).unwrap(), body)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let options = ImdsOptions {
            base_url,
            ..ImdsOptions::default()
        };
        Imds::new(options).unwrap().token(&request()).await
    };
    let error = endless(200).await.unwrap_err();
    assert!(matches!(error, ImdsError::Malformed(_)), "{error:?}");
    let error = endless(500).await.unwrap_err();
    assert!(matches!(error, ImdsError::Refused { status: 500, .. }));
}
