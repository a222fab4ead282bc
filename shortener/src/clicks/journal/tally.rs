//! The figures of a journal that anyone may read at any time without waiting for anybody.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::position::Position;

/// A look at a journal, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Appended and not drained, in bytes of segments.
    pub depth_bytes: u64,
    /// For how long the oldest undrained record has waited, as of the last `maintain`.
    pub oldest_undrained: Duration,
    /// Segments on disk, drained ones and the one made ahead included.
    pub segments: u64,
    pub disk_bytes: u64,
    /// Records are being refused.
    pub is_full: bool,
    /// Syncs that failed: the bound for a power cut did not hold then.
    pub sync_errors: u64,
    /// Damaged stretches that the reader had to skip.
    pub damaged: u64,
}

/// What [`Gauges`] are read from. Each figure is written by one side and stands for itself.
pub(super) struct Tally {
    end: AtomicI64,
    drained: AtomicI64,
    oldest_undrained_ms: AtomicU64,
    segments: AtomicU64,
    full: AtomicBool,
    sync_errors: AtomicU64,
    damaged: AtomicU64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            end: AtomicI64::new(Position::START.to_i64()),
            drained: AtomicI64::new(Position::START.to_i64()),
            oldest_undrained_ms: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            full: AtomicBool::new(false),
            sync_errors: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        }
    }

    /// All records before this are complete, and whoever sees the position sees them in the file.
    pub(super) fn end(&self) -> Position {
        Position::from_i64(self.end.load(Ordering::Acquire))
    }

    pub(super) fn set_end(&self, end: Position) {
        self.end.store(end.to_i64(), Ordering::Release);
    }

    pub(super) fn set_drained(&self, drained: Position, oldest_undrained: Duration) {
        let ms = u64::try_from(oldest_undrained.as_millis()).unwrap_or(u64::MAX);
        self.drained.store(drained.to_i64(), Ordering::Relaxed);
        self.oldest_undrained_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn set_segments(&self, segments: usize) {
        self.segments.store(segments as u64, Ordering::Relaxed);
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    pub(super) fn count_sync_error(&self) {
        self.sync_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_damage(&self, stretches: u64) {
        self.damaged.fetch_add(stretches, Ordering::Relaxed);
    }

    pub(super) fn gauges(&self, segment_bytes: u32) -> Gauges {
        let drained = Position::from_i64(self.drained.load(Ordering::Relaxed));
        let segments = self.segments.load(Ordering::Relaxed);
        Gauges {
            depth_bytes: self.end().bytes_since(drained, segment_bytes),
            oldest_undrained: Duration::from_millis(
                self.oldest_undrained_ms.load(Ordering::Relaxed),
            ),
            segments,
            disk_bytes: segments * u64::from(segment_bytes),
            is_full: self.is_full(),
            sync_errors: self.sync_errors.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
        }
    }
}
