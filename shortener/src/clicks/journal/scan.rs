//! Finds the next record of one segment file, whatever state the file is in.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::frame::{self, Frame, WORD};

/// Read at a time; more than the longest frame, so that each read brings the scan on.
const CHUNK: usize = 256 * 1024;

/// A segment being read. It holds one chunk of it in memory.
pub(super) struct Scan {
    file: File,
    seed: u32,
    /// Bytes of the file from `start` on.
    chunk: Vec<u8>,
    start: usize,
}

/// The next thing in a segment, and whether something damaged lay before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) what: What,
    pub(super) damaged: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A record's bytes (see [`Scan::bytes`]) and the offset after it.
    Record { at: Range<usize>, after: u32 },
    /// The records go on in the next segment.
    Seal,
    /// Neither a record nor a seal up to the limit.
    Nothing,
}

impl Scan {
    pub(super) fn new(file: File, seed: u32) -> Self {
        Self {
            file,
            seed,
            chunk: Vec::new(),
            start: 0,
        }
    }

    /// The size of the file; one cut off within a word counts that word.
    pub(super) fn len(&self) -> io::Result<u32> {
        let len = self.file.metadata()?.len().next_multiple_of(WORD as u64);
        Ok(u32::try_from(len).unwrap_or(u32::MAX - 7))
    }

    /// Searches from offset `from` to `limit`: after damage, at every place where a frame could start.
    pub(super) fn find(&mut self, from: u32, limit: u32) -> io::Result<Found> {
        let limit = limit as usize;
        let mut offset = (from as usize).next_multiple_of(WORD);
        let mut damaged = offset != from as usize;
        let mut blank = false;
        while offset < limit {
            let mut skip = offset.wrapping_sub(self.start);
            // An offset before the chunk wraps around to one far behind it.
            if skip >= self.chunk.len() {
                self.read(offset, limit)?;
                skip = 0;
            }
            let left = limit - offset;
            let here = &self.chunk[skip..];
            let here = &here[..here.len().min(left)];
            let offset32 = u32::try_from(offset).expect("below the limit, a u32");
            match frame::parse(self.seed, offset32, here, left) {
                Frame::Short => self.read(offset, limit)?,
                Frame::Blank => {
                    blank = true;
                    offset += WORD;
                }
                Frame::Damaged => {
                    damaged = true;
                    offset += WORD;
                }
                Frame::Record { length } => {
                    let at = skip + WORD..skip + WORD + length;
                    let after = offset32
                        + u32::try_from(frame::footprint(length)).expect("below the limit");
                    // Zeros before a record were written once, so they are not the end of anything.
                    let damaged = damaged || blank;
                    return Ok(Found {
                        what: What::Record { at, after },
                        damaged,
                    });
                }
                Frame::Seal => {
                    let damaged = damaged || blank;
                    return Ok(Found {
                        what: What::Seal,
                        damaged,
                    });
                }
            }
        }
        Ok(Found {
            what: What::Nothing,
            damaged,
        })
    }

    /// The bytes of the record found last.
    pub(super) fn bytes(&self, at: Range<usize>) -> &[u8] {
        &self.chunk[at]
    }

    /// Fills the chunk from `offset` on. What the file lacks reads as zeros, as if never written.
    fn read(&mut self, offset: usize, limit: usize) -> io::Result<()> {
        self.chunk.clear();
        self.chunk.resize(CHUNK.min(limit - offset), 0);
        self.start = offset;
        let mut done = 0;
        while done < self.chunk.len() {
            match self
                .file
                .read_at(&mut self.chunk[done..], (offset + done) as u64)
            {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.chunk.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
