//! First lines of requests, and what is no HTTP/1 at all.

use super::{Case, PATH, QUERY, case, good, with_lines};

pub(super) fn cases() -> Vec<Case> {
    let target = format!("{PATH}?{QUERY}");
    let line = |first: &str| with_lines(first, "");
    let long = |length: usize| format!("{target}&x={}", "a".repeat(length));
    let mut cases = vec![
        // Methods.
        case(line(&format!("HEAD {target} HTTP/1.1")), &[405]),
        case(line(&format!("PUT {target} HTTP/1.1")), &[405]),
        case(line(&format!("DELETE {target} HTTP/1.1")), &[405]),
        case(line(&format!("PATCH {target} HTTP/1.1")), &[405]),
        case(line(&format!("TRACE {target} HTTP/1.1")), &[405]),
        case(line(&format!("OPTIONS {target} HTTP/1.1")), &[405]),
        case(line("OPTIONS * HTTP/1.1"), &[405]),
        case(
            line("CONNECT 169.254.169.254:80 HTTP/1.1") + &good(),
            &[405, 200],
        ),
        case(line(&format!("get {target} HTTP/1.1")), &[405]),
        case(line(&format!("GETX {target} HTTP/1.1")), &[405]),
        case(line(&format!("G\u{e9}T {target} HTTP/1.1")), &[400]),
        case(line(&format!(" GET {target} HTTP/1.1")), &[400]),
        case(line(&format!("GET\t{target} HTTP/1.1")), &[400]),
        case(line(&format!("GET\0 {target} HTTP/1.1")), &[400]),
        case(line(&format!("GET  {target} HTTP/1.1")), &[400]),
        case(line(&format!("GET {target}  HTTP/1.1")), &[400]),
        case(line(&format!("GET {target} HTTP/1.1 ")), &[400]),
        case(line(&format!("GET {target} x HTTP/1.1")), &[400]),
        // Versions.
        case(format!("GET {target}\r\n"), &[400]),
        case(format!("GET {target}\r\n\r\n"), &[400]),
        case(line(&format!("GET {target}")), &[400]),
        case(line(&format!("GET {target} HTTP/0.9")), &[400]),
        case(line(&format!("GET {target} HTTP/1.0")), &[200]),
        case(
            format!("GET {target} HTTP/1.0\r\nMetadata: true\r\n\r\n"),
            &[200],
        ),
        case(line(&format!("GET {target} HTTP/1.0")) + &good(), &[200]),
        case(
            with_lines(
                &format!("GET {target} HTTP/1.0"),
                "Connection: keep-alive\r\n",
            ) + "GARBAGE\r\n\r\n",
            &[200, 400],
        ),
        case(
            with_lines(
                &format!("GET {target} HTTP/1.0"),
                "Transfer-Encoding: chunked\r\n",
            ),
            &[400],
        ),
        case(line(&format!("GET {target} HTTP/1.2")), &[400]),
        case(line(&format!("GET {target} HTTP/1.10")), &[400]),
        case(line(&format!("GET {target} HTTP/2.0")), &[400]),
        case(line(&format!("GET {target} HTTP/3")), &[400]),
        case(line(&format!("GET {target} http/1.1")), &[400]),
        case(line(&format!("GET {target} HTTPS/1.1")), &[400]),
        case(line(&format!("GET {target} ICY/1.1")), &[400]),
        // Forms of targets.
        case(
            line(&format!("GET http://169.254.169.254{target} HTTP/1.1")),
            &[200],
        ),
        case(
            line(&format!("GET http://169.254.169.254:80{target} HTTP/1.1")),
            &[200],
        ),
        case(
            line(&format!("GET HTTP://169.254.169.254{target} HTTP/1.1")),
            &[200],
        ),
        case(
            line(&format!("GET http://evil.example{target} HTTP/1.1")),
            &[400],
        ),
        case(
            line(&format!("GET http://u:p@169.254.169.254{target} HTTP/1.1")),
            &[400],
        ),
        case(
            line(&format!("GET https://169.254.169.254{target} HTTP/1.1")),
            &[400],
        ),
        case(
            line(&format!("GET ftp://169.254.169.254{target} HTTP/1.1")),
            &[400],
        ),
        case(line(&format!("GET http://{target} HTTP/1.1")), &[400]),
        case(line("GET 169.254.169.254:80 HTTP/1.1"), &[400]),
        case(line("GET * HTTP/1.1"), &[400]),
        case(line(&format!("GET {} HTTP/1.1", &target[1..])), &[400]),
        case(line("GET  HTTP/1.1"), &[400]),
        // Sizes.
        case(line(&format!("GET {} HTTP/1.1", long(8000))), &[200]),
        case(line(&format!("GET {} HTTP/1.1", long(8192))), &[414]),
        case(line(&format!("GET {} HTTP/1.1", long(70_000))), &[431]),
        case(
            line(&format!("{} {target} HTTP/1.1", "G".repeat(4000))),
            &[405],
        ),
        case("A".repeat(20_000), &[431]),
        // Other protocols, and bytes of none.
        case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]),
        case(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(40),
            &[400],
        ),
        case("SSH-2.0-OpenSSH_9.9\r\n", &[400]),
        case(
            "PROXY TCP4 10.244.0.3 169.254.169.254 40000 80\r\n".to_owned() + &good(),
            &[400],
        ),
        case(b"\0".repeat(64), &[400]),
        case(b"\xff".repeat(64), &[400]),
        case("\r\n".repeat(20) + &good(), &[200]),
        case("\n\n".to_owned() + &good(), &[200]),
        case("", &[]),
        case("\r\n", &[408]),
        case("G", &[408]),
        case(format!("GET {target} HTTP/1.1"), &[408]),
        case(
            format!("GET {target} HTTP/1.1\r\nMetadata: true\r\n"),
            &[408],
        ),
    ];
    for method in ["PROPFIND", "GET/", "\"GET\"", "G(T"] {
        let refused: &[u16] = if method == "PROPFIND" { &[405] } else { &[400] };
        cases.push(case(line(&format!("{method} {target} HTTP/1.1")), refused));
    }
    cases
}
