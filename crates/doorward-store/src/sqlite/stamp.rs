//! The stamp at the end of a backup: by it every changed byte shows.
//!
//! ```text
//!   SQLite's pages · … · last page │ "doorward-backup-1" … │ length │ SHA-256 of all before the stamp
//! ```
//!
//! SQLite's own checks go through trees and counts, and say nothing of a value with a flipped bit. The
//! stamp does. SQLite reads as many pages as the first one says, and never sees it.
//!
//! # What is not here
//!
//! Protection from somebody who changes a backup on purpose: they make a new stamp. Keep backups where
//! nobody can.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

const MARK: &[u8; 24] = b"doorward-backup-1\0\0\0\0\0\0\0";

/// The mark, a length, a digest.
const LENGTH: u64 = 24 + 8 + 32;

/// No page of SQLite's is shorter, and all are a multiple of it.
const PAGE_MIN: u64 = 512;

/// What a file's end says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// Every byte is as it was when the backup was made.
    Whole,
    /// There is none: a copy that was made in another way.
    Missing,
    /// Bytes were changed, or are missing.
    Broken,
}

/// Writes the stamp, and returns when the file is on the disk. It must not be open as a database.
pub(super) fn append(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let digest = digest_of(&mut file, length)?;
    let stamp = [&MARK[..], &length.to_be_bytes(), &digest].concat();
    file.write_all(&stamp)?;
    file.sync_all()
}

/// Reads the stamp, and all that it speaks of. The file must not be open as a database.
pub(super) fn read(path: &Path) -> io::Result<Stamp> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    match length % PAGE_MIN {
        0 => return Ok(Stamp::Missing),
        LENGTH => {}
        _ => return Ok(Stamp::Broken),
    }
    let length = length - LENGTH;
    let digest = digest_of(&mut file, length)?;
    let mut found = Vec::new();
    file.read_to_end(&mut found)?;
    let expected = [&MARK[..], &length.to_be_bytes(), &digest].concat();
    Ok(if found == expected { Stamp::Whole } else { Stamp::Broken })
}

/// The digest of the first `length` bytes.
fn digest_of(file: &mut File, length: u64) -> io::Result<[u8; 32]> {
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    let mut rest = file.take(length);
    loop {
        let count = rest.read(&mut buffer)?;
        if count == 0 {
            return Ok(digest.finalize().into());
        }
        digest.update(&buffer[..count]);
    }
}
