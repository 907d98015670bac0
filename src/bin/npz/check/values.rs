//! Elements that are no values: bools but 0 and 1, codes of no character.

use npzmap::{ByteOrder, Dtype, ErrorKind, Header, Kind};

use crate::input::BLOCK;
use crate::leaves::{Leaf, leaves, little};

/// Looks at elements that come block by block.
#[derive(Clone)]
pub(super) struct Values {
    leaves: Vec<Leaf>,
    /// Bytes of what is looked at by itself: an element, or a character of strings.
    unit: usize,
    /// Bytes of an element.
    item: usize,
    /// Bytes before the next block.
    seen: u64,
    bools: Bad,
    texts: Bad,
}

/// The elements that are no values.
#[derive(Clone, Copy, Default)]
pub(super) struct Bad {
    pub(super) count: u64,
    /// The first byte of the first one, from the first element on.
    pub(super) first: u64,
}

impl Bad {
    fn add(&mut self, at: u64) {
        self.join(Bad { count: 1, first: at });
    }

    fn join(&mut self, other: Bad) {
        self.first = match (self.count, other.count) {
            (0, _) => other.first,
            (_, 0) => self.first,
            _ => self.first.min(other.first),
        };
        self.count += other.count;
    }
}

impl Values {
    /// Without a header: bytes of which any will do.
    pub(super) fn new(header: Option<&Header>) -> Self {
        let (bools, texts) = (Bad::default(), Bad::default());
        let nothing = Values { leaves: Vec::new(), unit: 1, item: 1, seen: 0, bools, texts };
        let Some(header) = header.filter(|header| !header.dtype().has_object()) else { return nothing };
        let mut leaves = leaves(header.dtype());
        leaves.retain(|leaf| matches!(leaf.scalar.kind(), Kind::Bool | Kind::Str));
        let item = header.dtype().item_size();
        match (header.dtype(), &mut leaves[..]) {
            (_, []) => nothing,
            // A string of any length is read by its characters.
            (Dtype::Scalar(scalar), [_]) if scalar.kind() == Kind::Str => Values { leaves, unit: 4, item, ..nothing },
            _ => Values { leaves, unit: item, item, ..nothing },
        }
    }

    pub(super) fn unit(&self) -> usize {
        self.unit
    }

    /// The same, for what begins at this byte.
    pub(super) fn at(&self, seen: u64) -> Self {
        Values { seen, ..self.clone() }
    }

    pub(super) fn join(&mut self, later: Values) {
        self.bools.join(later.bools);
        self.texts.join(later.texts);
    }

    /// How many bytes to look at next: whole units.
    pub(super) fn block(&self, left: u64) -> usize {
        let units = (BLOCK / self.unit).max(1);
        (units * self.unit).min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    pub(super) fn look(&mut self, block: &[u8]) {
        let by_character = self.unit < self.item;
        for (leaf, index) in self.leaves.iter().flat_map(|leaf| (0..block.len() / self.unit).map(move |i| (leaf, i))) {
            let start = index * self.unit;
            let unit = &block[start..start + self.unit];
            let at = self.seen + start as u64;
            match leaf.scalar.kind() {
                _ if by_character => {
                    if !is_character(unit, leaf.scalar.byte_order()) {
                        self.texts.add(at);
                    }
                }
                Kind::Bool => {
                    for range in leaf.ranges().filter(|range| unit[range.start] > 1) {
                        self.bools.add(at + range.start as u64);
                    }
                }
                _ => {
                    let order = leaf.scalar.byte_order();
                    for range in leaf.ranges() {
                        let (codes, _) = unit[range.clone()].as_chunks::<4>();
                        if let Some(code) = codes.iter().position(|code| !is_character(code, order)) {
                            self.texts.add(at + (range.start + code * 4) as u64);
                        }
                    }
                }
            }
        }
        self.seen += block.len() as u64;
    }

    /// What was found, of each kind.
    pub(super) fn found(&self) -> impl Iterator<Item = (Bad, ErrorKind)> {
        let index = |bad: Bad| usize::try_from(bad.first).unwrap_or(usize::MAX) / self.item.max(1);
        let bools = ErrorKind::InvalidElement { index: index(self.bools), element: "bool".into() };
        let texts = ErrorKind::BadText { index: index(self.texts), problem: "a code that is no character" };
        [(self.bools, bools), (self.texts, texts)].into_iter().filter(|(bad, _)| bad.count > 0)
    }
}

fn is_character(code: &[u8], order: ByteOrder) -> bool {
    let number = little(code, order);
    char::from_u32(u32::from_le_bytes([number[0], number[1], number[2], number[3]])).is_some()
}
