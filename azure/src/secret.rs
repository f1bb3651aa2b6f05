use std::fmt;

use zeroize::Zeroizing;

/// Text that must not be printed: a password, a bearer token.
///
/// It has no `Display` and no `Serialize`, its `Debug` shows nothing of it, and its memory is
/// wiped when it is dropped. The text is read with [`Secret::expose`], so that a search finds every reader.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the code that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Wipes an answer in which a secret was, unless somebody else still has a part of it.
#[cfg(feature = "imds")]
pub(crate) fn wipe(body: bytes::Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        zeroize::Zeroize::zeroize(&mut *body);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(feature = "imds")]
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret(redacted) Some(Secret(redacted))"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
