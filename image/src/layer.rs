//! The one layer of an image: a compressed tar file whose bytes depend on its content only.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

use crate::digest::sha256;

/// What a layer contains at one path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// A folder with this mode.
    Folder(u32),
    /// A file that everybody may read.
    File(&'a [u8]),
    /// A file that everybody may read and start.
    Program(&'a [u8]),
}

/// A packed layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Digest of the tar file, by which the configuration names the layer.
    pub(crate) diff_id: String,
    /// The compressed tar file.
    pub(crate) blob: Vec<u8>,
}

/// Packs `entries` in the order of their paths; all belong to user 0 and were changed at `time`
/// (seconds since 1970). A folder's path ends with `/` and sorts before what is in it.
pub(crate) fn pack(entries: &[(&str, Content<'_>)], time: u64) -> io::Result<Layer> {
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|(path, _)| *path);
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in sorted {
        add(&mut archive, path, content, time)?;
    }
    let archive = archive.into_inner()?;
    Ok(Layer {
        diff_id: sha256(&archive),
        blob: compress(&archive)?,
    })
}

fn add(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &str,
    content: Content<'_>,
    time: u64,
) -> io::Result<()> {
    let (kind, mode, bytes): (_, _, &[u8]) = match content {
        Content::Folder(mode) => (EntryType::Directory, mode, &[]),
        Content::File(bytes) => (EntryType::Regular, 0o644, bytes),
        Content::Program(bytes) => (EntryType::Regular, 0o755, bytes),
    };
    let mut header = header(kind, mode, bytes.len() as u64, time);
    archive.append_data(&mut header, path, bytes)
}

/// A header without anything of the machine it is made on.
pub(crate) fn header(kind: EntryType, mode: u32, size: u64, time: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(size);
    header
}

/// gzip, because every registry and every runtime takes it. The header has neither time nor name.
fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_layer_depends_on_its_content_and_not_on_the_order_it_was_given_in() {
        let entries = [
            ("podid", Content::Program(b"\x7fELF")),
            ("etc/", Content::Folder(0o755)),
            ("etc/passwd", Content::File(b"root")),
        ];
        let mut reversed = entries;
        reversed.reverse();
        let layer = pack(&entries, 7).unwrap();
        assert_eq!(layer, pack(&reversed, 7).unwrap());
        assert_ne!(layer.diff_id, pack(&entries, 8).unwrap().diff_id);

        let mut archive = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(layer.blob.as_slice());
        decoder.read_to_end(&mut archive).unwrap();
        assert_eq!(sha256(&archive), layer.diff_id);
        assert_eq!(decoder.header().unwrap().mtime(), 0);
        let mut archive = tar::Archive::new(archive.as_slice());
        let listed: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!(header.mtime().unwrap(), 7);
                let path = entry.path().unwrap().display().to_string();
                (path, header.mode().unwrap())
            })
            .collect();
        let wanted = [("etc/", 0o755), ("etc/passwd", 0o644), ("podid", 0o755)];
        assert_eq!(listed, wanted.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
