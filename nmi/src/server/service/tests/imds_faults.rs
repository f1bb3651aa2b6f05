//! What a pod is told when the node's metadata service has a fault, and how often that is asked. The faults are of
//! its connections and bytes, so the client is the real one.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use podid_azure::{Imds, ImdsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::server::testing::*;
use crate::testing::within_limit;

/// How long the client waits for the metadata service here; ten seconds on a node.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the metadata service does about a request.
#[derive(Clone, Debug)]
enum Doing {
    /// It says these bytes and closes the connection.
    Say(String),
    /// It says them after this time.
    SayLate(Duration, String),
    Hang,
}

/// A metadata service on a loopback address.
struct BrokenImds {
    doing: Arc<Mutex<Doing>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl BrokenImds {
    fn set(&self, doing: Doing) {
        *self.doing.lock().unwrap() = doing;
    }

    fn say(&self, words: &str) {
        self.set(Doing::Say(words.to_owned()));
    }

    /// How many requests have come.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn answer_one(mut stream: TcpStream, doing: Doing, asked: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or_default() == 0 {
            return;
        }
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let words = match doing {
        Doing::Say(words) => words,
        Doing::SayLate(wait, words) => {
            tokio::time::sleep(wait).await;
            words
        }
        Doing::Hang => std::future::pending().await,
    };
    let _gone = stream.write_all(words.as_bytes()).await;
}

async fn broken() -> (BrokenImds, Bench<Imds>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let options = ImdsOptions {
        base_url: format!("http://{}", listener.local_addr().unwrap()),
        timeout: PATIENCE,
    };
    let doing = Arc::new(Mutex::new(Doing::Hang));
    let asked = Arc::new(AtomicUsize::new(0));
    let (told, counted) = (Arc::clone(&doing), Arc::clone(&asked));
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let doing = told.lock().unwrap().clone();
            tokio::spawn(answer_one(stream, doing, Arc::clone(&counted)));
        }
    });
    let imds = BrokenImds { doing, asked, task };
    (imds, bench_of(&[entry(true)], Imds::new(options).unwrap()))
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A token with these values, as JSON.
fn token(expires_in: &str, expires_on: &str) -> String {
    let rest = r#""access_token":"a.b.c","client_id":"client-one","token_type":"Bearer""#;
    answer(
        "200 OK",
        &format!(r#"{{{rest},"expires_in":{expires_in},"expires_on":{expires_on}}}"#),
    )
}

/// One that lives for a day.
fn good_token() -> String {
    token(r#""86399""#, r#""4102444800""#)
}

/// Status, `error` and description of what the pod is told.
async fn told<I>(bench: &Bench<I>) -> (u16, String, String) {
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("access_token").is_empty(), status != 200, "{body}");
    (status, text("error"), text("error_description"))
}

#[tokio::test]
async fn an_updating_or_throttled_service_is_passed_on_and_asked_once_a_request() {
    within_limit(async {
        let gone = r#"{"error":"gone","error_description":"updating"}"#;
        let throttled = r#"{"error":"invalid_request","error_description":"Temporarily throttled, too many requests"}"#;
        let unknown = r#"{"error":"unknown","error_description":"Failed to retrieve token"}"#;
        let html = "<html><body>502 Bad Gateway</body></html>";
        for (line, body, status, error, description) in [
            ("410 Gone", gone, 410, "gone", "updating"),
            ("410 Gone", "", 410, "server_error", "The metadata service answered 410"),
            ("404 Not Found", "", 404, "server_error", "The metadata service answered 404"),
            (
                "429 Too Many Requests",
                throttled,
                429,
                "invalid_request",
                "Temporarily throttled, too many requests",
            ),
            ("500 Internal Server Error", unknown, 500, "unknown", "Failed to retrieve token"),
            ("502 Bad Gateway", html, 502, "server_error", "The metadata service answered 502"),
            ("504 Gateway Timeout", html, 504, "server_error", "The metadata service answered 504"),
            // Never a redirect.
            ("302 Found\r\nLocation: http://127.0.0.1/", "", 502, "server_error", "The metadata service answered 302"),
        ] {
            let (imds, bench) = broken().await;
            imds.say(&answer(line, body));
            for asked in 1..=3 {
                let expected = (status, error.to_owned(), description.to_owned());
                assert_eq!((told(&bench).await, imds.asked()), (expected, asked), "{line}");
            }
            imds.say(&good_token());
            assert_eq!((told(&bench).await.0, imds.asked()), (200, 4), "{line}");
            imds.say(&answer(line, body));
            assert_eq!((told(&bench).await.0, imds.asked()), (200, 4), "it is kept");
        }
    })
    .await;
}

#[tokio::test]
async fn garbage_is_no_token_and_asked_for_once_a_request() {
    within_limit(async {
        let body = |body: &str| answer("200 OK", body);
        let cut_off = good_token();
        for (words, status) in [
            (body(""), 502),
            (body("<html>"), 502),
            (body("[]"), 502),
            (body("{}"), 502),
            (
                body(r#"{"access_token":7,"expires_in":"1","expires_on":"1"}"#),
                502,
            ),
            (body("\u{0}\u{1}"), 502),
            // Too much is not read to its end.
            (body(&" ".repeat(1_000_000)), 502),
            (body(&format!("[{}", "[".repeat(10_000))), 502),
            (answer("204 No Content", ""), 502),
            (cut_off[..cut_off.len() - 9].to_owned(), 503),
            ("HTTP/1.1 200 OK\r\n".to_owned(), 503),
            ("GARBAGE\r\n\r\n".to_owned(), 503),
            ("\u{15}\u{3}\u{1}".to_owned(), 503),
            (String::new(), 503),
        ] {
            let (imds, bench) = broken().await;
            imds.say(&words);
            for asked in 1..=2 {
                let (told, error, description) = told(&bench).await;
                assert_eq!((told, imds.asked()), (status, asked), "{words:.99}");
                assert!(!error.is_empty() && !description.is_empty());
            }
            imds.say(&good_token());
            assert_eq!(
                (told(&bench).await.0, imds.asked()),
                (200, 3),
                "{words:.99}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_service_is_waited_for_and_a_silent_one_is_not() {
    within_limit(async {
        let (imds, bench) = broken().await;
        imds.set(Doing::SayLate(PATIENCE / 4, good_token()));
        let both = tokio::join!(told(&bench), told(&bench));
        assert_eq!((both.0.0, both.1.0, imds.asked()), (200, 200, 1));

        let (imds, bench) = broken().await;
        imds.set(Doing::Hang);
        for asked in 1..=2 {
            let (status, error, _) = told(&bench).await;
            assert_eq!((status, error.as_str()), (503, "service_unavailable"));
            assert_eq!(imds.asked(), asked);
        }
        imds.say(&good_token());
        assert_eq!((told(&bench).await.0, imds.asked()), (200, 3));
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_retryable_answer_and_kept_tokens_stay() {
    within_limit(async {
        let (imds, bench) = broken().await;
        imds.say(&good_token());
        assert_eq!(told(&bench).await.0, 200);
        imds.task.abort();
        let _aborted = imds.task.await;
        assert_eq!(told(&bench).await.0, 200, "it is kept");
        let another = TARGET.replace("vault", "graph");
        let response =
            crate::server::testing::answer(&bench.service, Some("uid-1"), &another).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(imds.asked.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test]
async fn an_odd_lifetime_is_handed_on_or_refused_and_never_kept() {
    within_limit(async {
        let future = r#""4102444800""#;
        for (expires_in, expires_on, status, asked) in [
            (r#""86399""#, future, 200, 1),
            ("86399", "4102444800", 200, 1),
            // Kept for a day at most.
            (
                r#""18446744073709551615""#,
                r#""18446744073709551615""#,
                200,
                1,
            ),
            (r#""60""#, future, 200, 2),
            (r#""0""#, future, 200, 2),
            (r#""86399""#, r#""1""#, 200, 2),
            (r#""""#, future, 502, 2),
            (r#""soon""#, future, 502, 2),
            (r#""-1""#, future, 502, 2),
            ("-1", future, 502, 2),
            ("86399.5", future, 502, 2),
            ("1e99", future, 502, 2),
            (r#""99999999999999999999""#, future, 502, 2),
            ("null", future, 502, 2),
            ("[]", future, 502, 2),
            (r#""86399""#, r#""2030-01-01T00:00:00Z""#, 502, 2),
        ] {
            let (imds, bench) = broken().await;
            imds.say(&token(expires_in, expires_on));
            let both = [told(&bench).await.0, told(&bench).await.0];
            assert_eq!(
                (both, imds.asked()),
                ([status; 2], asked),
                "{expires_in} {expires_on}"
            );
        }
    })
    .await;
}
