//! Chance that repeats itself: the same seed gives the same numbers.

/// Zipf's law: the second is drawn half as often as the first, the third a third as often.
#[derive(Debug)]
pub struct Zipf {
    /// Sums of 1/rank.
    sums: Vec<f64>,
}

impl Zipf {
    /// Of so many, one at least.
    pub fn new(count: usize) -> Self {
        let ranks = 1..=u32::try_from(count).expect("a number of ranks");
        let sums = ranks.scan(0.0, |sum, rank| {
            *sum += 1.0 / f64::from(rank);
            Some(*sum)
        });
        Self {
            sums: sums.collect(),
        }
    }

    /// From 0 on.
    pub fn draw(&self, random: &mut Random) -> usize {
        let total = self.sums.last().copied().unwrap_or_default();
        let point = random.fraction() * total;
        let rank = self.sums.partition_point(|sum| *sum <= point);
        rank.min(self.sums.len() - 1)
    }
}

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not including, `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    /// From 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The time from one event to the next where events know nothing of each other and come `mean` apart.
    pub fn gap(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.fraction()).ln()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[usize::try_from(index).expect("an index")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_drawn_half_as_often_as_the_first() {
        let zipf = Zipf::new(1_000);
        let mut random = Random::new(3);
        let mut drawn = [0_u32; 2];
        for _ in 0..100_000 {
            if let Some(count) = drawn.get_mut(zipf.draw(&mut random)) {
                *count += 1;
            }
        }
        // 1 / H(1000) = 13.4 %, and half of that.
        assert!((12_800..14_000).contains(&drawn[0]), "{drawn:?}");
        assert!((6_300..7_100).contains(&drawn[1]), "{drawn:?}");
    }
}
