//! Which key was meant, where none is found.

use std::borrow::Cow;

/// So many keys are looked at, and no more.
const KEYS: usize = 100_000;
/// Names of so many bytes in all are looked at, and no more.
const BYTES: usize = 16 << 20;
/// Longer keys are not compared.
const LONGEST: usize = 256;

/// The first of the nearest keys, if one is near: it differs in one place, by two characters at most, or in case.
pub(super) fn similar<'a>(keys: impl Iterator<Item = Cow<'a, str>>, key: &str) -> Option<Cow<'a, str>> {
    if key.len() > LONGEST {
        return None;
    }
    let mut left = BYTES;
    let keys = keys.take(KEYS).take_while(|other| {
        left = left.saturating_sub(other.len());
        left > 0
    });
    let near = |other: Cow<'a, str>| Some((distance(key, &other)?, other));
    keys.filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}

/// The characters between what the two begin and what they end with in common, if these are few.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len().abs_diff(b.len()) > 8 || b.len() > LONGEST {
        return None;
    }
    if a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase)) {
        return Some(1);
    }
    let pairs = a.chars().zip(b.chars());
    let head: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (a, b) = (a.get(head..)?, b.get(head..)?);
    let pairs = a.chars().rev().zip(b.chars().rev());
    let tail = pairs.take_while(|(a, b)| a == b).count();
    let left = |text: &str| text.chars().count().saturating_sub(tail);
    let differing = left(a).max(left(b));
    // In a short key two characters are most of it.
    let most = if head + tail > 2 { 2 } else { 1 };
    (differing <= most && head + tail > 0).then_some(differing)
}
