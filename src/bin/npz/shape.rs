//! The lengths of axes, of which a header can name any: elements without bytes take no place in the file.

/// The number of elements; none if they cannot be counted, which then have no bytes.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length))
}

/// The bytes of elements of this size. What would be too many is the inside of an axis of 0.
pub(crate) fn nbytes(shape: &[usize], size: usize) -> usize {
    count(shape).unwrap_or(usize::MAX).saturating_mul(size)
}
