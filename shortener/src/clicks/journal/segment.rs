//! Segment files: their names, and how one is made so that writing to it cannot fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::error::{Error, while_doing};
use super::mapping::Mapping;

/// Positions have 31 bits for the number.
const NUMBERS: RangeInclusive<u32> = 1..=0x7FFF_FFFF;

/// A segment that holds nothing yet: allocated, mapped and zero.
pub(super) struct Fresh {
    pub(super) number: u32,
    pub(super) file: Arc<File>,
    pub(super) mapping: Mapping,
}

pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The numbers of the segments in `dir`, ascending. Files of other names are nobody's business.
pub(super) fn numbers(dir: &Path) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(while_doing("list", dir))? {
        let name = entry.map_err(while_doing("list", dir))?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        // One spelling only, so that `1.seg` is not taken for `00000001.seg`.
        numbers.extend(number.filter(|number| {
            NUMBERS.contains(number) && path(dir, *number).file_name() == Some(&name)
        }));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a segment with all its blocks allocated. What could not be made in full leaves no file behind.
pub(super) fn create(dir: &Path, number: u32, bytes: u32) -> Result<Fresh, Error> {
    let path = path(dir, number);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(while_doing("create", &path))?;

    let made = allocate(&file, bytes)
        .map_err(while_doing("allocate", &path))
        .and_then(|()| Mapping::new(&file).map_err(while_doing("map", &path)));
    match made {
        Ok(mapping) => Ok(Fresh {
            number,
            file: Arc::new(file),
            mapping,
        }),
        Err(error) => {
            // The first failure is the one to tell; a file left here is found and refused next time.
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn allocate(file: &File, bytes: u32) -> io::Result<()> {
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, u64::from(bytes)) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            // NFS before 4.2, ZFS and some FUSE: zeros that reached the disk have blocks as well.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return write_zeros(file, bytes),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn write_zeros(mut file: &File, bytes: u32) -> io::Result<()> {
    const BLOCK: [u8; 4096] = [0; 4096];
    let mut left = bytes as usize;
    while left > 0 {
        let block = &BLOCK[..left.min(BLOCK.len())];
        file.write_all(block)?;
        left -= block.len();
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_segment_is_zero_and_listed_in_order_among_strangers() {
        let dir = tempfile::tempdir().unwrap();
        for number in [12, 3, 123_456_789] {
            create(dir.path(), number, 64).unwrap();
        }
        for stranger in ["lock", "1.seg", "x.seg", "00000000.seg", "4294967295.seg"] {
            fs::write(dir.path().join(stranger), "").unwrap();
        }

        assert_eq!(numbers(dir.path()).unwrap(), [3, 12, 123_456_789]);
        assert_eq!(fs::read(dir.path().join("00000003.seg")).unwrap(), [0; 64]);
    }

    #[test]
    fn zeros_are_written_where_blocks_cannot_be_reserved() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_zeros(file.as_file(), 10_000).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), [0; 10_000]);
    }

    #[test]
    fn an_impossible_segment_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        // fallocate refuses a length of 0, as a full disk would refuse this one.
        assert!(create(dir.path(), 1, 0).is_err());
        assert!(numbers(dir.path()).unwrap().is_empty());
    }
}
