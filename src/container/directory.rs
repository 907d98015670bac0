//! The central directory: one pass over its records, then a lookup by name that parses the record again.
//!
//! The directory's bytes stay with whoever holds them and are passed in. What is kept for a member is four bytes
//! and a share of the hash table; names are compared where they lie.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::name::{self, Dispute};
use super::record::{FIXED, Place, RawRecord};
use crate::bytes::Cursor;
use crate::error::{Error, ErrorKind, Result, names};
use crate::steps;

mod pass;

/// What happens when several members have one name.
///
/// ```
/// use npzmap::{Duplicates, ErrorKind, OpenOptions};
///
/// # let mut bytes = std::fs::read("tests/data/positional.npz")?;
/// # for at in 0..bytes.len() - 4 {
/// #     if bytes[at..].starts_with(b"arr_1") {
/// #         bytes[at + 4] = b'0';
/// #     }
/// # }
/// // `bytes` hold two members arr_0.npy: three i32, then two f64.
/// let shape = |duplicates| {
///     let npz = OpenOptions::new().duplicates(duplicates).source(&bytes)?;
///     Ok::<_, npzmap::Error>(npz.member("arr_0")?.header()?.shape().to_vec())
/// };
/// assert!(matches!(shape(Duplicates::Refuse).unwrap_err().kind(), ErrorKind::DuplicateName));
/// assert_eq!(shape(Duplicates::Last)?, [2]);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Duplicates {
    /// That key is refused, and says so; other keys work.
    #[default]
    Refuse,
    /// The last one is taken, as NumPy does. The others are listed, and refused.
    Last,
}

/// Where a record begins within the directory.
pub(crate) type Position = u32;

/// What a key may leave out at the end of a name.
pub(crate) type Suffix = [u8; 4];

pub(crate) struct Directory {
    count: usize,
    names: HashTable<Position>,
    naming: Naming,
    /// Members that are refused for what the directory as a whole says, by position.
    refused: Vec<(Position, Refusal)>,
    /// The starts of all members, where the directory does not list them in this order.
    starts: Option<Vec<u64>>,
    /// Members to which some readers give another name, by that name.
    claimed: HashTable<Claimant>,
    /// The directory's own place: no member reaches into it.
    range: Range<u64>,
    base: u64,
}

/// A member that some readers give another name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claimant {
    position: Position,
    /// Of two names, the last.
    last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    /// Another member, the first or the last of this name, lies here in the directory.
    Duplicate(Position),
    /// Another reader would give this name to another member, and this is why.
    Claimed(&'static str),
    Overlap {
        end: u64,
        start: u64,
        over_directory: bool,
    },
}

/// A record, found and not yet judged.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) position: Position,
    /// Where the next record begins.
    next: Position,
    pub(crate) raw: RawRecord<'a>,
}

impl Directory {
    /// Reads all records in `bytes`, the directory that lies at `range` of the file: `count` of them, if the end record
    /// is right. No local header is looked at.
    ///
    /// # Errors
    ///
    /// A record that cannot be told from the next one; memory that is not granted. Whatever else is wrong with a member is
    /// its own matter.
    pub(crate) fn read(
        bytes: &[u8],
        range: Range<u64>,
        base: u64,
        count: u64,
        duplicates: Duplicates,
        suffix: Suffix,
    ) -> Result<Self> {
        // A count is no measure of memory, unless that many records fit into the bytes that are there.
        let most = bytes.len().checked_div(FIXED).unwrap_or(0);
        let expected = usize::try_from(count).map_or(most, |count| count.min(most));
        let directory = Directory {
            count: 0,
            names: HashTable::new(),
            naming: Naming { suffix, state: RandomState::default() },
            refused: Vec::new(),
            starts: None,
            claimed: HashTable::new(),
            range,
            base,
        };
        pass::read(directory, bytes, expected, duplicates)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The record at `position` of `bytes`, the directory's. A source may give other bytes by now.
    pub(crate) fn record<'a>(&self, bytes: &'a [u8], position: Position) -> Result<Record<'a>> {
        match record_at(bytes, position) {
            Ok(record) => Ok(record),
            Err(problem) => {
                let at = self.range.start.saturating_add(position.into());
                Err(Error::from(ErrorKind::BadDirectory { problem }).at(at))
            }
        }
    }

    /// The member of this name, or else the one of this name and `.npy`, as NumPy looks it up.
    pub(crate) fn find<'a>(&self, bytes: &'a [u8], key: &str) -> Option<Result<Record<'a>>> {
        let naming = &self.naming;
        [naming.split(key.as_bytes()), (key.as_bytes(), true)].into_iter().find_map(|(stem, suffix)| {
            let hash = naming.hash(stem);
            let claims = |claimant: &Claimant| naming.claims(bytes, *claimant, (stem, suffix));
            let same = |position: &Position| naming.is(bytes, *position, (stem, suffix));
            let claimed = || self.claimed.find(hash, claims).map(|claimant| claimant.position);
            let position = claimed().or_else(|| self.names.find(hash, same).copied())?;
            Some(self.record(bytes, position))
        })
    }

    /// Whether there is a record of exactly this name.
    #[cfg(feature = "write")]
    pub(crate) fn has_name(&self, bytes: &[u8], name: &str) -> bool {
        let name = self.naming.split(name.as_bytes());
        let hash = self.naming.hash(name.0);
        self.names.find(hash, |position| self.naming.is(bytes, *position, name)).is_some()
    }

    /// The records after `position`.
    pub(crate) fn records_from<'a>(&self, bytes: &'a [u8], position: Position) -> Records<'a> {
        Records { bytes, position }
    }

    /// Judges a member by its name, its flags and what the directory as a whole says about it.
    pub(crate) fn check(&self, record: &Record<'_>) -> Result<Place> {
        let at = self.range.start.saturating_add(record.position.into());
        self.judge(record).map_err(|error| error.at(at))
    }

    fn judge(&self, record: &Record<'_>) -> Result<Place> {
        let raw = &record.raw;
        let bad_name = |problem| ErrorKind::BadName { problem };
        let name = name::decode(raw.name, raw.is_utf8(), raw.extra).ok_or_else(|| bad_name(names::NOT_UTF8))?;
        if let Some(dispute) = name.dispute {
            return Err(bad_name(dispute.problem).into());
        }
        let place = raw.place(self.base)?;
        raw.check(place)?;
        let first = self.refused.partition_point(|(position, _)| *position < record.position);
        match self.refused.get(first) {
            Some((position, refusal)) if *position == record.position => Err(refusal.error(self.range.start)),
            _ => Ok(place),
        }
    }

    /// Where whatever follows a member in the file begins: the next member, or the directory.
    pub(crate) fn next_start(&self, bytes: &[u8], record: &Record<'_>, place: Place) -> u64 {
        let next = match &self.starts {
            Some(starts) => {
                let after = starts.partition_point(|start| *start <= place.offset);
                starts.get(after).copied()
            }
            // In order, and every place is known.
            None => record_at(bytes, record.next)
                .ok()
                .and_then(|next| next.raw.place(self.base).ok())
                .map(|next| next.offset),
        };
        // After the last member, or if the source changed.
        next.filter(|start| *start < self.range.start && *start > place.offset).unwrap_or(self.range.start)
    }

    /// How many bytes of its file lie before the archive.
    #[cfg(feature = "write")]
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Where the directory lies.
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }
}

impl Refusal {
    /// The error, in an archive whose directory lies at `directory`.
    fn error(&self, directory: u64) -> Error {
        match *self {
            Refusal::Duplicate(position) => {
                Error::from(ErrorKind::DuplicateName).at(directory.saturating_add(position.into()))
            }
            Refusal::Claimed(problem) => ErrorKind::BadName { problem }.into(),
            Refusal::Overlap { end, start, over_directory } => {
                let what = if over_directory { "the central directory" } else { "another member" };
                ErrorKind::Overlap { end, what, start }.into()
            }
        }
    }
}

/// The records of a directory, in its order.
#[derive(Clone)]
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    position: Position,
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Records { bytes, position: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, (Position, &'static str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.position;
        if usize::try_from(position).is_ok_and(|position| position >= self.bytes.len()) {
            return None;
        }
        let record = record_at(self.bytes, position);
        // After an error the iteration is over.
        self.position = record.as_ref().map_or(Position::MAX, |record| record.next);
        Some(record.map_err(|problem| (position, problem)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.position).map_or(0, |position| self.bytes.len().saturating_sub(position));
        (0, left.checked_div(FIXED))
    }
}

fn record_at(bytes: &[u8], position: Position) -> Result<Record<'_>, &'static str> {
    steps::add(1);
    let rest = usize::try_from(position).ok().and_then(|start| bytes.get(start..));
    let mut cursor = Cursor::new(rest.ok_or("a record lies beyond the end")?);
    let raw = RawRecord::read(&mut cursor)?;
    let next = bytes.len().saturating_sub(cursor.rest().len());
    let next = Position::try_from(next).map_err(|_| "longer than 4 GiB")?;
    Ok(Record { position, next, raw })
}

/// How names are compared: decoded, and in two parts, the second of which a key may leave out.
struct Naming {
    suffix: Suffix,
    state: RandomState,
}

/// A name without the suffix, and whether it had it.
type Parts<'n> = (&'n [u8], bool);

impl Naming {
    #[inline]
    fn split<'n>(&self, name: &'n [u8]) -> Parts<'n> {
        match name.split_last_chunk() {
            Some((stem, suffix)) if *suffix == self.suffix => (stem, true),
            _ => (name, false),
        }
    }

    /// Whether the record at `position` has this name.
    #[inline]
    fn is(&self, bytes: &[u8], position: Position, name: Parts<'_>) -> bool {
        steps::add(name.0.len());
        text_at(bytes, position).is_some_and(|text| self.split(&text) == name)
    }

    /// Whether some readers give it to a record.
    fn claims(&self, bytes: &[u8], claimant: Claimant, name: Parts<'_>) -> bool {
        steps::add(name.0.len());
        claim_of(bytes, claimant).is_some_and(|(claimed, _)| self.split(&claimed) == name)
    }

    /// The hash of a name without its suffix, so that both spellings of a key are looked for in one place.
    #[inline]
    fn hash(&self, stem: &[u8]) -> u64 {
        steps::add(stem.len());
        let mut hasher = self.state.build_hasher();
        hasher.write(stem);
        hasher.finish()
    }

    fn hash_at(&self, bytes: &[u8], position: Position) -> u64 {
        let text = text_at(bytes, position).unwrap_or_default();
        self.hash(self.split(&text).0)
    }

    fn hash_claim_of(&self, bytes: &[u8], claimant: Claimant) -> u64 {
        let (claimed, _) = claim_of(bytes, claimant).unwrap_or_default();
        self.hash(self.split(&claimed).0)
    }
}

fn text_at(bytes: &[u8], position: Position) -> Option<Cow<'_, [u8]>> {
    let raw = record_at(bytes, position).ok()?.raw;
    name::text_bytes(raw.name, raw.is_utf8())
}

/// The name that some readers give a record, and what is wrong with its own.
fn claim_of(bytes: &[u8], claimant: Claimant) -> Option<(Cow<'_, [u8]>, &'static str)> {
    let raw = record_at(bytes, claimant.position).ok()?.raw;
    let Dispute { claims, problem } = name::decode(raw.name, raw.is_utf8(), raw.extra)?.dispute?;
    Some((if claimant.last { claims.last } else { claims.first }?, problem))
}
