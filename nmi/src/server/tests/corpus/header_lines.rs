//! Header lines: their form, the marks that keep forged requests out, and hosts.

use super::{Case, PATH, QUERY, case, good, with_lines};

pub(super) fn cases() -> Vec<Case> {
    let first = format!("GET {PATH}?{QUERY} HTTP/1.1");
    let more = |lines: &str| with_lines(&first, lines);
    let marked = |mark: &str| format!("{first}\r\nHost: 169.254.169.254\r\n{mark}\r\n\r\n");
    let hosted = |host: &str| format!("{first}\r\n{host}\r\nMetadata: true\r\n\r\n");
    let lines = |count: usize| {
        (0..count)
            .map(|n| format!("x-{n}: y\r\n"))
            .collect::<String>()
    };
    let mut cases = vec![
        // Form.
        case(more("x : y\r\n"), &[400]),
        case(
            more("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n",
            &[400],
        ),
        case(more("Content-Length : 5\r\n"), &[400]),
        case(more(" x: y\r\n"), &[400]),
        case(more("x: a\r\n b\r\n"), &[400]),
        case(more("x: a\r\n\tb\r\n"), &[400]),
        case(more("Metadata: true\r\n , false\r\n"), &[400]),
        case(more("x\r\n"), &[400]),
        case(more(": y\r\n"), &[400]),
        case(more("x y: z\r\n"), &[400]),
        case(more("x\0: y\r\n"), &[400]),
        case(more("x: a\0b\r\n"), &[400]),
        case(more("x: a\rb\r\n"), &[400]),
        case(more("x: a\u{7f}b\r\n"), &[400]),
        case(more("\u{e9}: y\r\n"), &[400]),
        case(more("x: \u{e9}\r\n"), &[200]),
        case(more("x:\r\n"), &[200]),
        // A line may end without a carriage return (RFC 9112, section 2.2).
        case(good().replace("\r\n", "\n"), &[200]),
        case(good().replace("\r\n", "\n") + &good(), &[200, 200]),
        case(good().replace("\r\n", "\r"), &[400]),
        // Sizes and numbers.
        case(more(&lines(90)), &[200]),
        case(more(&lines(200)), &[431]),
        case(more(&format!("x: {}\r\n", "a".repeat(8000))), &[200]),
        case(more(&format!("x: {}\r\n", "a".repeat(8200))), &[431]),
        case(more(&format!("{}: y\r\n", "a".repeat(8200))), &[431]),
        case(more(&format!("x: {}\r\n", "a".repeat(100_000))), &[431]),
        // Never who the caller is.
        case(more("X-Real-IP: 10.244.0.3\r\n"), &[200]),
        case(more("podname: victim\r\npodns: team\r\n"), &[200]),
        case(more("X-HTTP-Method-Override: POST\r\n"), &[200]),
        case(more("X-Original-URL: /metadata/instance\r\n"), &[200]),
        case(more("Cookie: a=b\r\nAuthorization: Bearer x\r\n"), &[200]),
        case(
            more("Content-Type: application/x-www-form-urlencoded\r\n"),
            &[200],
        ),
    ];
    for forwarded in ["1.2.3.4", "", "169.254.169.254", "10.244.0.3, 10.244.0.2"] {
        for name in ["X-Forwarded-For", "x-forwarded-for"] {
            cases.push(case(more(&format!("{name}: {forwarded}\r\n")), &[400]));
        }
    }
    for mark in [
        "Metadata: true",
        "metadata:TRUE",
        "METADATA: \t True \t",
        "Metadata: true\r\nMetadata: True",
    ] {
        cases.push(case(marked(mark), &[200]));
    }
    for mark in [
        "x: y",
        "Metadata:",
        "Metadata: false",
        "Metadata: 1",
        "Metadata: yes",
        "Metadata: true, true",
        "Metadata: true;q=1",
        "Metadata: \"true\"",
        "Metadata: tru\u{e9}",
        "Metadata: %74rue",
        "Metadata: true\r\nMetadata: false",
        "Metadata: false\r\nMetadata: true",
        "Metadata: true\r\nMetadata:",
        "X-Metadata: true",
        "Metadata-: true",
        "Meta_data: true",
        "Metadata-Flavor: Google",
        "x: Metadata: true",
    ] {
        cases.push(case(marked(mark), &[400]));
    }
    for host in [
        "Host: 169.254.169.254",
        "Host: 169.254.169.254:80",
        "Host: 10.0.0.4:2579",
        "host: localhost",
        "Host: imds",
        "Host: [fe80::1]",
        "Host: [::ffff:169.254.169.254]:80",
        "Host: 2852039166",
    ] {
        cases.push(case(hosted(host), &[200]));
    }
    for host in [
        "x: y",
        "Host:",
        "Host: :80",
        "Host: evil.example",
        "Host: evil.example:80",
        "Host: 169.254.169.254.evil.example",
        "Host: 169.254.169.254.",
        "Host: 0251.0376.0251.0376",
        "Host: 169.254.43518",
        "Host: a,b",
        "Host: 169.254.169.254, evil.example",
        "Host: 169.254.169.254 evil",
        "Host: user@169.254.169.254",
        "Host: 169.254.169.254/x",
        "Host: 169.254.169.254:99999",
        "Host: http://169.254.169.254",
        "Host: \u{e9}",
        "Host: [fe80::1",
        "Host: 169.254.169.254\r\nHost: 169.254.169.254",
        "Host: 169.254.169.254\r\nHost: evil.example",
    ] {
        cases.push(case(hosted(host), &[400]));
    }
    cases
}
