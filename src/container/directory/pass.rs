//! The one pass over the records of a directory: names, places, and what of them contradicts.

use std::ops::Range;

use hashbrown::{HashTable, hash_table::Entry};

use super::{Claimant, Directory, Duplicates, Position, Record, Records, Refusal, claim_of, record_at};
use crate::container::name::{self, Claims, Name};
use crate::container::record::Place;
use crate::error::{Error, ErrorKind, Result, names};
use crate::steps;

/// Fills an empty directory with what `bytes` say, in which about `expected` records are.
pub(super) fn read(
    mut directory: Directory,
    bytes: &[u8],
    expected: usize,
    duplicates: Duplicates,
) -> Result<Directory> {
    reserve(&mut directory.names, expected, |_| 0)?; // there is nothing to hash anew
    let mut pass = Pass { directory, bytes, duplicates, last: 0, ends: (0, 0), in_order: true };
    for record in Records::new(bytes) {
        pass.add(&record.map_err(|(position, problem)| pass.bad_record(position, problem))?)?;
    }
    pass.finish()
}

/// What the pass remembers.
struct Pass<'a> {
    directory: Directory,
    bytes: &'a [u8],
    duplicates: Duplicates,
    /// The start of the member before.
    last: u64,
    /// The farthest end so far, and the position of the member that has it.
    ends: (u64, Position),
    in_order: bool,
}

impl Pass<'_> {
    #[inline]
    fn add(&mut self, record: &Record<'_>) -> Result<()> {
        self.directory.count = self.directory.count.saturating_add(1);
        let raw = &record.raw;
        // As most are: what `name` comes to, without its detours.
        if raw.extra.is_empty() && name::is_plain(raw.name) {
            self.insert(raw.name, record.position)?;
        } else {
            self.name(record)?;
        }
        if self.in_order { self.place(record) } else { Ok(()) }
    }

    fn name(&mut self, record: &Record<'_>) -> Result<()> {
        let raw = &record.raw;
        let Some(Name { text, dispute }) = name::decode(raw.name, raw.is_utf8(), raw.extra) else {
            return Ok(());
        };
        if let Some(dispute) = dispute {
            self.claim(record.position, &dispute.claims)?;
        }
        self.insert(&text, record.position)
    }

    #[inline]
    fn insert(&mut self, text: &[u8], position: Position) -> Result<()> {
        let Directory { names, naming, .. } = &mut self.directory;
        let (stem, suffix) = naming.split(text);
        let bytes = self.bytes;
        let same = |position: &Position| naming.is(bytes, *position, (stem, suffix));
        let rehash = |position: &Position| naming.hash_at(bytes, *position);
        reserve(names, 1, rehash)?;
        match names.entry(naming.hash(stem), same, rehash) {
            Entry::Vacant(entry) => {
                entry.insert(position);
                Ok(())
            }
            Entry::Occupied(mut entry) => {
                let first = *entry.get();
                if self.duplicates == Duplicates::Last {
                    *entry.get_mut() = position;
                }
                self.refuse_duplicate(first, position)
            }
        }
    }

    #[cold]
    fn refuse_duplicate(&mut self, known: Position, position: Position) -> Result<()> {
        let refused = &mut self.directory.refused;
        match self.duplicates {
            Duplicates::Refuse => {
                refuse(refused, (known, Refusal::Duplicate(known)))?;
                refuse(refused, (position, Refusal::Duplicate(known)))
            }
            Duplicates::Last => refuse(refused, (known, Refusal::Duplicate(position))),
        }
    }

    /// Remembers that some readers give a member another name, or one of two: what is remembered is bounded by the number of
    /// members, and not by their extra fields.
    fn claim(&mut self, position: Position, claims: &Claims<'_>) -> Result<()> {
        let (bytes, Directory { claimed: table, naming, .. }) = (self.bytes, &mut self.directory);
        for (claimed, last) in [(&claims.first, false), (&claims.last, true)] {
            let Some(claimed) = claimed else { continue };
            let (stem, suffix) = naming.split(claimed);
            let same = |claimant: &Claimant| naming.claims(bytes, *claimant, (stem, suffix));
            let rehash = |claimant: &Claimant| naming.hash_claim_of(bytes, *claimant);
            reserve(table, 1, rehash)?;
            if let Entry::Vacant(entry) = table.entry(naming.hash(stem), same, rehash) {
                entry.insert(Claimant { position, last });
            }
        }
        Ok(())
    }

    /// One comparison a member, as long as each starts where the one before ended or later.
    #[inline]
    fn place(&mut self, record: &Record<'_>) -> Result<()> {
        match record.raw.place(self.directory.base) {
            Ok(place) if place.offset >= self.last => {
                self.last = place.offset;
                self.overlap(place, record.position, record.raw.name.len())
            }
            _ => {
                self.in_order = false;
                Ok(())
            }
        }
    }

    #[inline]
    fn overlap(&mut self, place: Place, position: Position, name_length: usize) -> Result<()> {
        let (start, end) = (place.offset, place.least_end(name_length));
        if self.ends.0 > start || end > self.directory.range.start {
            self.refuse_overlap(start..end, position)?;
        }
        if end > self.ends.0 {
            self.ends = (end, position);
        }
        Ok(())
    }

    #[cold]
    fn refuse_overlap(&mut self, member: Range<u64>, position: Position) -> Result<()> {
        let (farthest, holder) = self.ends;
        let Directory { refused, range, .. } = &mut self.directory;
        if farthest > member.start {
            let overlap = Refusal::Overlap { end: farthest, start: member.start, over_directory: false };
            // Each neighbour that reaches over this one's start was the farthest when it was added, or is inside it.
            refuse(refused, (holder, overlap))?;
            refuse(refused, (position, overlap))?;
        }
        if member.end > range.start {
            let overlap = Refusal::Overlap { end: member.end, start: range.start, over_directory: true };
            refuse(refused, (position, overlap))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Directory> {
        if !self.in_order {
            self.sort()?;
        }
        let Directory { names, refused, claimed, naming, .. } = &mut self.directory;
        for claimant in claimed.iter() {
            let Some((name, problem)) = claim_of(self.bytes, *claimant) else {
                continue;
            };
            let (stem, suffix) = naming.split(&name);
            let same = |position: &Position| naming.is(self.bytes, *position, (stem, suffix));
            match names.find(naming.hash(stem), same) {
                Some(position) if *position != claimant.position => {
                    let problem = if problem == names::NUL { names::CUT } else { names::CLAIMED };
                    refuse(refused, (*position, Refusal::Claimed(problem)))?;
                }
                _ => {}
            }
        }
        once_each(refused);
        refused.shrink_to_fit();
        Ok(self.directory)
    }

    /// The members in the order in which they lie in the file: O(n log n), once.
    fn sort(&mut self) -> Result<()> {
        let mut places: Vec<(u64, Position)> = room(self.directory.count)?;
        for record in Records::new(self.bytes).flatten() {
            if let Ok(place) = record.raw.place(self.directory.base) {
                places.push((place.offset, record.position));
            }
        }
        sort(&mut places);
        self.ends = (0, 0);
        for (_, position) in &places {
            if let Ok(record) = record_at(self.bytes, *position)
                && let Ok(place) = record.raw.place(self.directory.base)
            {
                self.overlap(place, *position, record.raw.name.len())?;
            }
        }
        // Not collected from the pairs, whose memory it would keep.
        let mut starts = room(places.len())?;
        starts.extend(places.iter().map(|(start, _)| *start));
        self.directory.starts = Some(starts);
        Ok(())
    }

    fn bad_record(&self, position: Position, problem: &'static str) -> Error {
        let at = self.directory.range.start.saturating_add(position.into());
        Error::from(ErrorKind::BadDirectory { problem }).at(at)
    }
}

/// Remembers a refusal. Before the list grows, what it says twice of one member goes.
fn refuse(refused: &mut Vec<(Position, Refusal)>, refusal: (Position, Refusal)) -> Result<()> {
    if refused.len() == refused.capacity() {
        once_each(refused);
        if refused.len() > refused.capacity() / 2 {
            let more = refused.len().max(4);
            refused.try_reserve(more).map_err(|_| out_of_memory::<(Position, Refusal)>(more))?;
        }
    }
    refused.push(refusal);
    Ok(())
}

/// Room for that many values, which an archive's directory has bytes for.
fn room<T>(count: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| out_of_memory::<T>(count))?;
    Ok(values)
}

/// The same, in a table.
fn reserve<T>(table: &mut HashTable<T>, count: usize, rehash: impl Fn(&T) -> u64) -> Result<()> {
    table.try_reserve(count, rehash).map_err(|_| out_of_memory::<T>(table.len().saturating_add(count)))
}

fn out_of_memory<T>(count: usize) -> Error {
    ErrorKind::OutOfMemory { bytes: u64::try_from(count.saturating_mul(size_of::<T>())).unwrap_or(u64::MAX) }.into()
}

fn once_each(refused: &mut Vec<(Position, Refusal)>) {
    sort(refused);
    refused.dedup_by_key(|(position, _)| *position);
}

/// Each comparison is a step.
fn sort<T: Ord>(values: &mut [T]) {
    values.sort_unstable_by(|one, other| {
        steps::add(1);
        one.cmp(other)
    });
}
