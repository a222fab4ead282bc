//! A segment in memory: the only place in this program that needs `unsafe`.
//!
//! What is stored here is in the page cache at once, so that it survives the death of the process in any
//! form; [`super::Journal::sync`] is for the death of the machine. Readers use `read`, not the mapping,
//! so that nothing in Rust ever borrows these bytes.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::frame::WORD;

/// A mapped segment with one writer, which `&mut` proves.
pub(super) struct Mapping(MmapRaw);

impl Mapping {
    /// Maps all of `file`, whose blocks must be allocated: touching a hole on a full disk is SIGBUS.
    pub(super) fn new(file: &File) -> io::Result<Self> {
        MmapOptions::new().map_raw(file).map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Stores `payload` and then, in front of it and in one piece, the `commit` word at `offset`.
    pub(super) fn put(&mut self, offset: usize, commit: u64, payload: &[u8]) {
        assert!(offset.is_multiple_of(WORD), "frames are aligned");
        let room = self.len().checked_sub(offset + WORD);
        assert!(
            room.is_some_and(|room| payload.len() <= room),
            "a frame fits its segment"
        );

        #[expect(
            unsafe_code,
            reason = "a mapping is raw memory; a write call costs six times as much"
        )]
        // SAFETY: The asserts keep both writes inside the mapping, which lives as long as `self`. It starts
        // on a page and `offset` is a multiple of 8, so that the word is aligned. `&mut self` rules out a
        // second writer, no reference into the mapping is ever made, and `payload` cannot overlap it.
        unsafe {
            let word = self.0.as_mut_ptr().add(offset);
            word.add(WORD)
                .copy_from_nonoverlapping(payload.as_ptr(), payload.len());
            #[expect(clippy::cast_ptr_alignment, reason = "aligned, as argued above")]
            AtomicU64::from_ptr(word.cast::<u64>()).store(commit.to_le(), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mapped(bytes: u64) -> (tempfile::NamedTempFile, Mapping) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(bytes).unwrap();
        let mapping = Mapping::new(file.as_file()).unwrap();
        (file, mapping)
    }

    #[test]
    fn what_is_put_is_in_the_file_at_once() {
        let (file, mut mapping) = mapped(32);
        mapping.put(8, 0x0807_0605_0403_0201, b"payload");
        let bytes = fs::read(file.path()).unwrap();
        assert_eq!(
            bytes,
            *b"\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08payload\0\0\0\0\0\0\0\0\0"
        );
    }

    #[test]
    #[should_panic = "a frame fits its segment"]
    fn nothing_is_written_past_the_end() {
        let (_file, mut mapping) = mapped(32);
        mapping.put(24, 1, b"x");
    }
}
