//! Log-linear buckets: eight to a power of two, so a bucket is at most an eighth wider than its start.
//!
//! The idea is HdrHistogram's: constant relative error, constant size, no configuration. Values below
//! the floor share one bucket, values at or above the ceiling another.

/// The first power of two with buckets of its own: 64 ns, less than any clock here resolves reliably.
pub const FLOOR_BITS: u32 = 6;

/// The power of two that overflows: 2^36 ns is 69 s, longer than anything worth timing by the key.
pub const CEILING_BITS: u32 = 36;

/// log2 of the buckets to a power of two: 8 keep a quantile within 12.5 %.
const SUB_BITS: u32 = 3;
const SUB: usize = 1 << SUB_BITS;

/// Buckets in all, the under- and overflow included.
pub const BUCKETS: usize = (CEILING_BITS - FLOOR_BITS) as usize * SUB + 2;

/// Finds the bucket a value falls into.
#[inline]
pub const fn index(value: u64) -> usize {
    if value < 1 << FLOOR_BITS {
        return 0;
    }
    if value >= 1 << CEILING_BITS {
        return BUCKETS - 1;
    }
    let power = value.ilog2();
    let sub = (value >> (power - SUB_BITS)) as usize & (SUB - 1);
    1 + (power - FLOOR_BITS) as usize * SUB + sub
}

/// The largest value that falls into a bucket; `u64::MAX` for the last.
pub const fn highest(index: usize) -> u64 {
    if index == 0 {
        return (1 << FLOOR_BITS) - 1;
    }
    if index >= BUCKETS - 1 {
        return u64::MAX;
    }
    let power = FLOOR_BITS + ((index - 1) / SUB) as u32;
    let sub = ((index - 1) % SUB) as u64;
    ((SUB as u64 + sub + 1) << (power - SUB_BITS)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        fn check(value: u64, expect: usize) {
            assert_eq!(index(value), expect, "{value}");
        }
        check(0, 0);
        check(63, 0);
        check(64, 1);
        check(71, 1);
        check(72, 2);
        check(127, 8);
        check(128, 9);
        check((1 << CEILING_BITS) - 1, BUCKETS - 2);
        check(1 << CEILING_BITS, BUCKETS - 1);
        check(u64::MAX, BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(bits in 0u32..64, low in any::<u64>()) {
            let value = low >> bits;
            let at = index(value);
            prop_assert!(value <= highest(at));
            prop_assert!(at == 0 || value > highest(at - 1));
        }

        #[test]
        fn a_bucket_is_at_most_an_eighth_wide(at in 1usize..BUCKETS - 1) {
            let lowest = highest(at - 1) + 1;
            prop_assert!(highest(at) - lowest < lowest / 8);
        }
    }
}
