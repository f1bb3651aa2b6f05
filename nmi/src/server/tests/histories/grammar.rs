//! The grammar of requests: each part mostly as a client writes it, and else as an attacker may.

use super::history::Random;
use crate::testing::RESOURCE_ID;

/// A choice of one part is not the first one so many times in this number.
const UNUSUAL: u64 = 16;

/// The usual one is first.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE", "get",
];
const VERSIONS: [&str; 4] = ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9"];
const HOSTS: [&str; 7] = [
    "Host: 169.254.169.254\r\n",
    "Host: 169.254.169.254:80\r\n",
    "Host: imds\r\n",
    "Host: [::ffff:169.254.169.254]\r\n",
    "Host: evil.example\r\n",
    "Host: a,b\r\n",
    "",
];
const MARKS: [&str; 5] = [
    "Metadata: true\r\n",
    "metadata:True\r\n",
    "Metadata: false\r\n",
    "Metadata: true\r\nMetadata: false\r\n",
    "",
];
const FORMS: [&str; 3] = ["", "http://169.254.169.254", "http://evil.example"];
const PATHS: [&str; 4] = [
    "/metadata/identity/oauth2/token",
    "/metadata/identity/oauth2/token/",
    "/Metadata/identity//oauth2/token",
    "/metadata/instance",
];
const QUERIES: [&str; 4] = [
    "?api-version=2018-02-01&resource=https://vault.azure.net",
    "?resource=r&api-version=2019-08-01",
    "?resource=r",
    "",
];
const SEGMENTS: [&str; 16] = [
    "metadata",
    "Metadata",
    "identity",
    "Identity",
    "oauth2",
    "token",
    "instance",
    ".",
    "..",
    "",
    "%2e%2e",
    "%74oken",
    "token;x",
    "host",
    "identity\\oauth2",
    "identity%2foauth2",
];
const NAMES: [&str; 12] = [
    "api-version",
    "resource",
    "client_id",
    "CLIENT_ID",
    "object_id",
    "msi_res_id",
    "mi_res_id",
    "msi-res-id",
    "client-id",
    "bypass_cache",
    "tenant_id",
    "x",
];
const VALUES: [&str; 14] = [
    "2018-02-01",
    "2017-01-01",
    "https://vault.azure.net",
    "r",
    "client-one",
    "client-two",
    RESOURCE_ID,
    "foreign",
    "",
    "true",
    "%",
    "%00",
    "a+b",
    "%c3%28",
];
/// What SDKs send.
const SDK_LINES: [&str; 5] = [
    "x-ms-client-request-id: 1\r\n",
    "x-client-SKU: MSAL.Python\r\n",
    "Accept: */*\r\n",
    "Connection: keep-alive\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\n",
];
const LINES: [&str; 16] = [
    "Connection: close\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "X-Forwarded-For: 10.244.0.3\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Expect: 100-continue\r\n",
    "x: a\r\n b\r\n",
    "x: \u{e9}\r\n",
    "x\r\n",
    "podname: victim\r\npodns: team\r\n",
    "Cookie: a=b\r\n",
];
const BODIES: [&str; 5] = [
    "hello",
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\n",
    "\r\n",
];

pub(super) fn request(random: &mut Random) -> Vec<u8> {
    let (method, target) = (usual(&METHODS, random), target(random));
    let version = usual(&VERSIONS, random);
    let (host, mark) = (usual(&HOSTS, random), usual(&MARKS, random));
    let lines: String = (0..random.below(3)).map(|_| line(random)).collect();
    let mut text = format!("{method} {target} {version}\r\n{host}{mark}{lines}\r\n");
    if random.below(UNUSUAL) == 0 {
        text += random.one_of(&BODIES);
    }
    text.into_bytes()
}

/// The first choice, or seldom any.
fn usual<'a>(choices: &[&'a str], random: &mut Random) -> &'a str {
    match random.below(UNUSUAL) {
        0 => random.one_of(choices),
        _ => choices[0],
    }
}

fn line(random: &mut Random) -> String {
    match random.below(10 * UNUSUAL) {
        0 => format!("x: {}\r\n", "a".repeat(random.place(20_000))),
        1 => "x: y\r\n".repeat(random.place(200)),
        2..16 => random.one_of(&LINES).to_owned(),
        _ => random.one_of(&SDK_LINES).to_owned(),
    }
}

fn target(random: &mut Random) -> String {
    let path = match random.below(UNUSUAL) {
        0 => {
            let segments = (0..random.below(7)).map(|_| random.one_of(&SEGMENTS));
            segments.map(|segment| format!("/{segment}")).collect()
        }
        _ => usual(&PATHS, random).to_owned(),
    };
    let (form, query) = (usual(&FORMS, random), usual(&QUERIES, random));
    format!("{form}{path}{query}{}", pairs(random))
}

/// More of the query.
fn pairs(random: &mut Random) -> String {
    match random.below(3 * UNUSUAL) {
        0 => format!("&x={}", "a".repeat(random.place(20_000))),
        1..8 => "&client_id=client-one".to_owned(),
        8..16 => {
            let pairs = (0..random.below(4)).map(|_| {
                let (name, value) = (random.one_of(&NAMES), random.one_of(&VALUES));
                format!("&{name}={value}")
            });
            pairs.collect()
        }
        _ => String::new(),
    }
}
