//! Which bytes an archive is opened from. No I/O: whoever has the bytes gives them, from a file, memory, or far away.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::bytes::window;
use crate::container::directory::{self, Directory};
use crate::container::end::{self, End, Search};
use crate::container::local;
use crate::container::record::LOCAL_FIXED;
use crate::context::SUFFIX;
use crate::error::{Error, ErrorKind, Result};
use crate::options::OpenOptions;

const SUFFIX_BYTES: directory::Suffix = *SUFFIX.as_bytes().first_chunk().unwrap();

/// Opens an archive without I/O: says which bytes it needs, is given them, and says which it needs next.
///
/// It needs the last 4 KiB of the archive, then the central directory, where that is not in them: for an archive as NumPy
/// writes it, at most two ranges. A comment on the archive, or bytes before it, need up to five more. When it needs nothing
/// more, [`Npz::from_opening`](crate::Npz::from_opening) has the archive.
///
/// Reading is then one range a member, [`Member::span`](crate::Member::span), which the directory alone tells.
///
/// # Examples
///
/// ```
/// use npzmap::{Npz, plan::Opening};
///
/// let bytes = std::fs::read("tests/data/model-batch.npz")?; // far away, say
/// let mut opening = Opening::new(bytes.len() as u64, Default::default());
/// let mut requests = 0;
/// while let Some(range) = opening.wants() {
///     let range = range.start as usize..range.end as usize;
///     opening.give(bytes[range].to_vec())?;
///     requests += 1;
/// }
/// let npz = Npz::from_opening(opening, bytes)?;
/// assert_eq!((requests, npz.len()), (1, 3));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Opening {
    size: u64,
    options: OpenOptions,
    state: State,
    /// The directory's bytes, if it was given them for good.
    held: Option<Vec<u8>>,
}

enum State {
    Tail {
        length: u64,
    },
    Directory(End),
    /// Something stands before the archive: do the members lie where the end record leads?
    Start(Start),
    Done(Directory),
    /// What was given was refused.
    Refused,
}

struct Start {
    directory: Directory,
    base: u64,
    /// The first member and the last, with the bytes before the archive counted, and then without them.
    members: [Look; 4],
}

/// A local header, or the answer.
enum Look {
    At { range: Range<u64>, name: Box<[u8]> },
    Lies(bool),
}

impl Opening {
    /// Begins to open an archive of `size` bytes.
    ///
    /// ```
    /// use npzmap::plan::Opening;
    ///
    /// assert_eq!(Opening::new(100_000, Default::default()).wants(), Some(95_904..100_000));
    /// ```
    pub fn new(size: u64, options: OpenOptions) -> Self {
        Opening { size, options, state: State::Tail { length: end::TAIL }, held: None }
    }

    /// Returns the bytes that are needed next, or `None` when the archive is open.
    ///
    /// ```
    /// use npzmap::plan::Opening;
    ///
    /// let mut opening = Opening::new(22, Default::default());
    /// opening.give(std::fs::read("tests/data/empty.npz")?)?;
    /// assert_eq!(opening.wants(), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn wants(&self) -> Option<Range<u64>> {
        match &self.state {
            State::Tail { length } => Some(self.size.saturating_sub(*length)..self.size),
            State::Directory(end) => Some(end.directory.clone()),
            State::Start(start) => start.members.iter().find_map(|look| match look {
                Look::At { range, .. } => Some(range.clone()),
                Look::Lies(_) => None,
            }),
            State::Done(_) | State::Refused => None,
        }
    }

    /// Takes the bytes that [`wants`](Opening::wants) names: all of them.
    ///
    /// # Errors
    ///
    /// [`NotAnArchive`](ErrorKind::NotAnArchive), and whatever is wrong with the end record or the directory; `Io` with
    /// `UnexpectedEof` for another number of bytes. After an error nothing is needed any more.
    ///
    /// ```
    /// use npzmap::{ErrorKind, plan::Opening};
    ///
    /// let error = Opening::new(22, Default::default()).give(vec![0; 22]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NotAnArchive { size: 22 }));
    /// ```
    pub fn give(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.take(Cow::Owned(bytes))
    }

    /// The directory's bytes are kept if they are owned; borrowed ones stay where they are.
    pub(crate) fn take(&mut self, bytes: Cow<'_, [u8]>) -> Result<()> {
        let wanted = self.wants().map_or(0, |range| range.end.saturating_sub(range.start));
        let state = std::mem::replace(&mut self.state, State::Refused);
        if bytes.len() as u64 != wanted {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        self.state = match state {
            State::Tail { length } => match end::find(&bytes, self.size)? {
                Search::Further if length < end::LONG_TAIL => State::Tail { length: end::LONG_TAIL },
                Search::Further => return Err(ErrorKind::NotAnArchive { size: self.size }.into()),
                Search::Found(end) => {
                    let start = self.size.saturating_sub(bytes.len() as u64);
                    match (&bytes, window(&bytes, start, end.directory.clone())) {
                        (Cow::Owned(_), Some(directory)) => {
                            let directory = directory.to_vec();
                            self.directory(&end, Cow::Owned(directory))?
                        }
                        _ => State::Directory(end),
                    }
                }
            },
            State::Directory(end) => self.directory(&end, bytes)?,
            State::Start(mut start) => {
                let next = start.members.iter_mut().find(|look| matches!(look, Look::At { .. }));
                if let Some(look) = next
                    && let Look::At { name, .. } = look
                {
                    *look = Look::Lies(local::fits(&bytes, name));
                }
                start.judge()?
            }
            done @ (State::Done(_) | State::Refused) => done,
        };
        Ok(())
    }

    fn directory(&mut self, end: &End, bytes: Cow<'_, [u8]>) -> Result<State> {
        let (range, duplicates) = (end.directory.clone(), self.options.duplicates);
        let directory = Directory::read(&bytes, range, end.base, end.entries, duplicates, SUFFIX_BYTES)?;
        end.check_count(directory.len() as u64)?;
        let state =
            if end.base > 0 { Start::begin(directory, &bytes, end.base, self.size)? } else { State::Done(directory) };
        if let Cow::Owned(bytes) = bytes {
            self.held = Some(bytes);
        }
        Ok(state)
    }

    /// Whether the directory is wanted next, all of which will be read.
    pub(crate) fn wants_directory(&self) -> bool {
        matches!(self.state, State::Directory(_))
    }

    pub(crate) fn check_size(&self, size: u64) -> Result<()> {
        if size == self.size { Ok(()) } else { Err(ErrorKind::FileChanged { what: "length" }.into()) }
    }

    /// The directory, and its bytes if they are held.
    pub(crate) fn finish(self) -> Result<(Directory, Option<Vec<u8>>, OpenOptions)> {
        match self.state {
            State::Done(directory) => Ok((directory, self.held, self.options)),
            _ => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        }
    }
}

impl Start {
    /// Where members could be that are found from the end: the first and the last one decide (Z10).
    fn begin(directory: Directory, bytes: &[u8], base: u64, size: u64) -> Result<State> {
        let mut records = directory.records_from(bytes, 0).flatten();
        let Some(first) = records.next() else { return Ok(State::Done(directory)) };
        let last = records.last().unwrap_or(first);
        let look = |record: &directory::Record<'_>, base: u64| {
            let place = record.raw.place(base).ok();
            let length = LOCAL_FIXED.saturating_add(record.raw.name.len() as u64);
            let end = place.and_then(|place| place.offset.checked_add(length)).filter(|end| *end <= size);
            match (place, end) {
                (Some(place), Some(end)) => Look::At { range: place.offset..end, name: record.raw.name.into() },
                _ => Look::Lies(false),
            }
        };
        let members = [look(&first, base), look(&last, base), look(&first, 0), look(&last, 0)];
        Start { directory, base, members }.judge()
    }

    /// The next state, as soon as enough is known.
    fn judge(self) -> Result<State> {
        let answers = self.members.each_ref().map(|look| match look {
            Look::Lies(lies) => Some(*lies),
            Look::At { .. } => None,
        });
        let at = self.directory.range().end;
        match answers {
            [Some(false), Some(false), ..] => Err(Error::from(ErrorKind::PrefixMismatch { base: self.base }).at(at)),
            [Some(first), Some(last), Some(plain_first), Some(plain_last)] => {
                let is_plain_alone = plain_first && !first || plain_last && !last;
                if plain_first && plain_last || is_plain_alone {
                    return Err(Error::from(ErrorKind::AmbiguousStart { base: self.base }).at(at));
                }
                Ok(State::Done(self.directory))
            }
            _ => Ok(State::Start(self)),
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("size", &self.size).field("wants", &self.wants()).finish_non_exhaustive()
    }
}
