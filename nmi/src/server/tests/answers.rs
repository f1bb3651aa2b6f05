//! Reads all that a server has said on one connection.

use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    /// `Null` of a HEAD request, which alone has none.
    pub(super) body: Value,
}

impl HttpAnswer {
    /// The token in it.
    pub(super) fn token(&self) -> Option<&str> {
        self.body["access_token"].as_str()
    }
}

/// Every answer, if each is what SDKs can read: complete, with a length, of JSON, and a token or an error in words.
pub(super) fn read(mut said: &[u8]) -> Result<Vec<HttpAnswer>, String> {
    let mut answers = Vec::new();
    while !said.is_empty() {
        let (answer, rest) = next(said)?;
        answers.push(answer);
        said = rest;
    }
    Ok(answers)
}

fn next(said: &[u8]) -> Result<(HttpAnswer, &[u8]), String> {
    let shown = || String::from_utf8_lossy(&said[..said.len().min(300)]).into_owned();
    let end = said.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| format!("no head: {}", shown()))?;
    let head = std::str::from_utf8(&said[..end]).map_err(|error| error.to_string())?;
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = status(line).ok_or_else(|| format!("no status: {line}"))?;
    let header = |name: &str| {
        let mut lines = headers.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    };
    if header("content-type") != Some(crate::answer::JSON) {
        return Err(format!("not JSON: {}", shown()));
    }
    let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| format!("no length: {}", shown()))?;
    let rest = &said[end + 4..];
    if rest.is_empty() || rest.starts_with(b"HTTP/1.") {
        let body = Value::Null;
        return Ok((HttpAnswer { status, body }, rest));
    }
    let body = rest.get(..length);
    let body = body.ok_or_else(|| format!("cut off: {}", shown()))?;
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let text = |key: &str| body[key].as_str().is_some_and(|text| !text.is_empty());
    let says_it = match status {
        200 => text("access_token") && text("client_id"),
        _ => text("error") && text("error_description") && body["access_token"].is_null(),
    };
    match says_it {
        true => Ok((HttpAnswer { status, body }, &rest[length..])),
        false => Err(format!("neither a token nor an error: {}", shown())),
    }
}

fn status(line: &str) -> Option<u16> {
    let version = line.strip_prefix("HTTP/1.")?;
    let rest = version.strip_prefix(['0', '1'])?.strip_prefix(' ')?;
    rest.get(..3)?.parse().ok()
}
