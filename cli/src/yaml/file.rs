//! Text and values of a file, within bounds.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Largest file that is read, in bytes. An object of Kubernetes is at most 1.5 MiB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Most documents in one file.
const MAX_DOCUMENTS: usize = 10_000;

/// Characters at which lines end in YAML 1.1 alone.
const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{file} cannot be read")]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{file} is larger than {} MiB, and no file of manifests is; name another",
        MAX_BYTES / 1024 / 1024
    )]
    Large { file: PathBuf },
    #[error("{file}:{line} is not UTF-8; save the file as UTF-8")]
    Encoding { file: PathBuf, line: usize },
    #[error(
        "{file}:{line} has the character U+{:04X}, which Flux takes for the end of a line and an editor does not show; \
         take it out",
        u32::from(*character)
    )]
    Separator {
        file: PathBuf,
        line: usize,
        character: char,
    },
    #[error("{file}:{line} is not YAML{hint}")]
    Yaml {
        file: PathBuf,
        line: usize,
        /// What is often the cause, from a `; ` on; empty when nothing is known.
        hint: &'static str,
        source: Box<serde_saphyr::Error>,
    },
}

impl InputError {
    /// The file, and the line that is to blame; the first where none is.
    pub(crate) fn place(&self) -> (&Path, usize) {
        match self {
            Self::Read { file, .. } | Self::Large { file } => (file, 1),
            Self::Encoding { file, line }
            | Self::Separator { file, line, .. }
            | Self::Yaml { file, line, .. } => (file, *line),
        }
    }
}

/// The text of a file, `-` being standard input, without a byte order mark.
pub(crate) fn read_text(file: &Path) -> Result<String, InputError> {
    let bytes = read_bytes(file).map_err(|source| InputError::Read {
        file: file.to_owned(),
        source,
    })?;
    text(file, bytes)
}

/// These bytes of a file as text.
fn text(file: &Path, bytes: Vec<u8>) -> Result<String, InputError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(InputError::Large {
            file: file.to_owned(),
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        InputError::Encoding {
            file: file.to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        }
    })?;
    // Ends of lines in YAML 1.1, which Kubernetes and Flux read, and none in YAML 1.2: a comment could hide a field.
    if let Some((at, character)) = text.char_indices().find(|(_, c)| SEPARATORS.contains(c)) {
        let line = 1 + text[..at].matches('\n').count();
        let file = file.to_owned();
        return Err(InputError::Separator {
            file,
            line,
            character,
        });
    }
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

fn read_bytes(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than the bound tells a larger file.
    if file == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
    } else {
        File::open(file)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The values of all documents of a file; empty documents have none.
pub(crate) fn parse_values(file: &Path, text: &str) -> Result<Vec<Value>, InputError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_nodes: 4_000_000,
            max_events: 16_000_000,
        },
    };
    let values = serde_saphyr::from_multiple_with_options::<Value>(text, options);
    let values = values.map_err(|error| not_yaml(file, text, error))?;
    Ok(values
        .into_iter()
        .filter(|value| !value.is_null())
        .collect())
}

fn not_yaml(file: &Path, text: &str, error: serde_saphyr::Error) -> InputError {
    let line = error
        .location()
        .map_or(1, |location| location.line() as usize);
    let at = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let indent: String = at.chars().take_while(|c| c.is_whitespace()).collect();
    let hint = if indent.contains('\t') {
        "; YAML is indented with spaces, and this line begins with a tab"
    } else {
        ""
    };
    InputError::Yaml {
        file: file.to_owned(),
        line,
        hint,
        source: Box::new(error),
    }
}
