//! Where one request ends and the next begins: what request smuggling is made of.

use super::{Case, PATH, QUERY, case, get, good, with_lines};

/// A second request, which whoever reads the first one otherwise than the daemon would take for its body.
fn hidden() -> String {
    get(&format!("{PATH}?api-version=2018-02-01&resource=hidden"))
}

/// A request for a token with these lines and this body.
fn asking(lines: &str, body: &str) -> String {
    with_lines(&format!("GET {PATH}?{QUERY} HTTP/1.1"), lines) + body
}

/// The same by POST, which gets no token.
fn posting(lines: &str, body: &str) -> String {
    with_lines(&format!("POST {PATH}?{QUERY} HTTP/1.1"), lines) + body
}

pub(super) fn cases() -> Vec<Case> {
    let hidden = hidden();
    let length = format!("Content-Length: {}\r\n", hidden.len());
    let chunked = "Transfer-Encoding: chunked\r\n";
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let after_end = format!("0\r\n\r\n{hidden}");
    let mut cases = vec![
        case(good(), &[200]),
        case(good().repeat(3), &[200, 200, 200]),
        case(good().repeat(50), &[200; 50]),
        // A body is none of the next request, and ends the connection where it has not all come.
        case(asking("Content-Length: 0\r\n", ""), &[200]),
        case(asking(&length, &hidden), &[200]),
        case(asking(&length, &hidden) + &good(), &[200, 200]),
        case(asking("Content-Length: 1000\r\n", &hidden), &[200]),
        case(posting(&length, &hidden), &[405]),
        case(posting(&length, &hidden) + &good(), &[405, 200]),
        // Chunks and a length: no other reading gets a second answer.
        case(asking(&format!("{length}{chunked}"), &after_end), &[400]),
        case(asking(&format!("{chunked}{length}"), &after_end), &[400]),
        case(asking(&format!("{length}{chunked}"), &hidden), &[400]),
        case(posting(&format!("{length}{chunked}"), &after_end), &[405]),
        case(posting(&format!("{chunked}{length}"), &after_end), &[405]),
        // A GET in chunks.
        case(asking(chunked, &chunk), &[400]),
        case(asking(chunked, "0\r\n\r\n") + &good(), &[400]),
        case(posting(chunked, "0\r\n\r\n") + &good(), &[405, 200]),
        case(posting(chunked, &chunk) + &good(), &[405, 200]),
        case(posting(chunked, "fffffffffffffffff\r\n"), &[405]),
        case(posting(chunked, "ffffffffffffffff\r\nx"), &[405]),
        case(posting(chunked, &format!("-1\r\n{hidden}")), &[405]),
        case(posting(chunked, &format!("0x1\r\n{hidden}")), &[405]),
        case(posting(chunked, &format!("1;x=\"\n\"\r\n{hidden}")), &[405]),
        case(posting(chunked, &format!("0\n\n{hidden}")), &[405]),
        // Expectations and other protocols are not met.
        case(
            asking("Expect: 100-continue\r\nContent-Length: 9\r\n", ""),
            &[200],
        ),
        case(
            asking("Upgrade: h2c\r\nConnection: Upgrade\r\n", ""),
            &[200],
        ),
        case(
            asking("Upgrade: websocket\r\nConnection: Upgrade\r\n", &good()),
            &[200, 200],
        ),
        // After the last answer nothing more is read.
        case(asking("Connection: close\r\n", &good()), &[200]),
        case(
            asking("Connection: keep-alive\r\nConnection: close\r\n", &good()),
            &[200],
        ),
        case(format!("GARBAGE\r\n\r\n{}", good()), &[400]),
        case(good() + "GARBAGE\r\n\r\n" + &good(), &[200, 400]),
        case(good() + "\r\n\r\n" + &good(), &[200, 200]),
        case(good() + "GET", &[200, 408]),
    ];
    for coding in [
        "gzip",
        "identity",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked, gzip",
        "chunked\u{b}",
        "",
    ] {
        let lines = format!("Transfer-Encoding: {coding}\r\n");
        cases.push(case(asking(&lines, &after_end), &[400]));
        cases.push(case(posting(&lines, &after_end), &[400]));
    }
    for coding in ["gzip, chunked", "CHUNKED", " chunked", "chunked, chunked"] {
        let lines = format!("Transfer-Encoding: {coding}\r\n");
        cases.push(case(asking(&lines, &after_end), &[400]));
    }
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nContent-Length: 9\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: five\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length: \u{665}\r\n",
    ] {
        cases.push(case(asking(lengths, &good()), &[400]));
    }
    cases
}
