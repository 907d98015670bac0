//! `Member`: one entry of the archive. It knows where it is; it looks when it is asked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::archive::Archive;
use crate::array::{NpyArray, Reader};
use crate::buffer;
use crate::bytes::window;
use crate::container::decode::Coded;
use crate::container::directory::Record;
use crate::container::local::{self, Contradicted, Local};
use crate::container::record::{LOCAL_FIXED, Place};
use crate::context::{self, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::found::{Found, Seen};
use crate::method::Method;
use crate::npy::array::Access;
use crate::npy::header::Header;
#[cfg(doc)]
use crate::npz::Npz;
use crate::options::Verify;
use crate::source::{ReadAt, Source, read_at};
use crate::stream::Stream;
use crate::take::Layout;

/// A member of an archive. Making one costs nothing; what is wrong with it shows when it is used.
///
/// ```
/// use npzmap::{Method, Npz};
/// use ndarray::Ix1;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let labels = npz.member("labels")?;
/// assert_eq!((labels.method(), labels.size()), (Method::Deflated, 152));
/// assert_eq!(labels.array()?.shape(), [3]);
/// assert_eq!(labels.array()?.read::<i64, Ix1>()?.to_vec(), [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Member<'a, S = ReadAt> {
    archive: &'a Archive<S>,
    record: Record<'a>,
}

impl<S> Clone for Member<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Member<'_, S> {}

/// By position, a local header and the preamble behind it are read together.
const WINDOW: u64 = 512;

impl<'a, S: Source> Member<'a, S> {
    pub(crate) fn new(archive: &'a Archive<S>, record: Record<'a>) -> Self {
        Member { archive, record }
    }

    /// Whether its archive has a member of exactly this name, readable or not.
    #[cfg(feature = "write")]
    pub(crate) fn has_sibling(&self, name: &str) -> bool {
        let bytes = self.archive.directory_bytes();
        bytes.is_ok_and(|bytes| self.archive.directory.has_name(bytes, name))
    }

    /// The key: the name without `.npy`. Where the name is no valid UTF-8 though it claims to be, the replacement
    /// character stands in; such a member cannot be looked up.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// let keys: Vec<_> = npz.members().map(|member| member.key()).collect();
    /// assert_eq!(keys[1], "x.npy"); // x.npy.npy: one suffix is cut
    /// assert_eq!(keys[12], "notes.txt");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn key(&self) -> Cow<'a, str> {
        context::key(self.record.raw.name, self.record.raw.is_utf8())
    }

    /// The name as text, `.npy` included, decoded as [`key`](Member::key) is.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/cp437.npz")?;
    /// let member = npz.member("café")?;
    /// assert_eq!(member.text(), "café.npy");
    /// assert_eq!(member.name(), b"caf\x82.npy"); // not marked as UTF-8: code page 437
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn text(&self) -> Cow<'a, str> {
        context::text(self.record.raw.name, self.record.raw.is_utf8())
    }

    /// The name as it stands in the directory.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// assert_eq!(npz.member("größe/β")?.name(), "größe/β.npy".as_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn name(&self) -> &'a [u8] {
        self.record.raw.name
    }

    /// How it is compressed.
    ///
    /// ```
    /// use npzmap::{Method, Npz};
    ///
    /// let npz = Npz::open("tests/data/methods.npz")?;
    /// assert_eq!(npz.member("deflated")?.method(), Method::Deflated);
    /// let stored = npz.members().filter(|member| member.method() == Method::Stored);
    /// assert_eq!(stored.count(), 1); // what a map can lend
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn method(&self) -> Method {
        Method::from_number(self.record.raw.method())
    }

    /// Where the bytes of its archive come from.
    ///
    /// ```
    /// use npzmap::{Npz, Source};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let labels = npz.member("labels")?;
    /// assert_eq!(labels.source().size(), npz.source().size());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn source(&self) -> &'a S {
        &self.archive.source
    }

    /// The size of its content in bytes, the preamble of an array included.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let labels = npz.member("labels")?;
    /// assert_eq!(labels.size(), 128 + 3 * 8); // the header and three i64
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn size(&self) -> u64 {
        self.record.raw.sizes().0
    }

    /// The size of its data in the file, in bytes.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/methods.npz")?;
    /// let sizes = npz.members().map(|member| (member.compressed_size(), member.size()));
    /// assert_eq!(sizes.collect::<Vec<_>>(), [(224, 224), (132, 224), (180, 224), (134, 224)]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn compressed_size(&self) -> u64 {
        self.record.raw.sizes().1
    }

    /// The CRC-32 of its content, as the directory has it.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let stored = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let deflated = Npz::open("tests/data/model-batch.npz")?;
    /// let [a, b] = [stored.member("features")?.crc32(), deflated.member("features")?.crc32()];
    /// assert_eq!((a, b), (0x26226f2d, 0x26226f2d)); // the same content, told without reading it
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn crc32(&self) -> u32 {
        self.record.raw.crc32()
    }

    /// What the array is. Of its elements nothing is read.
    ///
    /// # Errors
    ///
    /// [`NotAnArray`](ErrorKind::NotAnArray) for other content, and whatever is wrong with member or header.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// let header = npz.member("record")?.header()?; // of what cannot be read, too
    /// assert_eq!(header.dtype().to_string(), "[('id', '<i4'), ('payload', '|O')]");
    /// assert_eq!((header.shape(), header.dtype().has_object()), (&[2][..], true));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> Result<Header> {
        Ok(self.array()?.into_header())
    }

    /// What a map of this archive would do with the array, taken as the type that it is: strings as
    /// [`FixedStr`](crate::FixedStr), which lie at any address. This does not depend on how the archive is open.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header), and [`Pickled`](ErrorKind::Pickled).
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let plan = |path| Npz::open(path)?.member("features")?.access_in_map();
    /// let misaligned = Reason::Misaligned { offset: 190, required: 4 };
    /// assert_eq!(plan("tests/data/model-batch-stored.npz")?, Access::Copy(misaligned));
    /// assert_eq!(plan("tests/data/model-batch-aligned.npz")?, Access::Borrow);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Result<Access> {
        self.array()?.access_in_map()
    }

    /// What the array is, where it lies and what a map would do with it, in one look.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header).
    ///
    /// ```
    /// use npzmap::{Access, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let layout = npz.member("sample_ids")?.layout()?;
    /// assert_eq!(layout.header().dtype().to_string(), "<U9");
    /// assert_eq!((layout.payload_offset(), layout.access_in_map()), (Some(642), Some(Access::Borrow)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn layout(&self) -> Result<Layout> {
        Ok(self.array()?.into_layout())
    }

    /// Where in the file the elements of a stored array begin, in bytes, or a stored member's content if it is no
    /// array; nothing for a compressed one.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member or its header.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let offset = |path| Npz::open(path)?.member("features")?.payload_offset();
    /// assert_eq!(offset("tests/data/model-batch-stored.npz")?, Some(190)); // np.savez
    /// assert_eq!(offset("tests/data/model-batch-aligned.npz")?, Some(192)); // npz align
    /// assert_eq!(offset("tests/data/model-batch.npz")?, None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload_offset(&self) -> Result<Option<u64>> {
        match self.array() {
            Ok(array) => Ok(array.data_offset()),
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => {
                self.find(|found| Ok(found.is_stored().then_some(found.data.start)))
            }
            Err(error) => Err(error),
        }
    }

    /// The whole content, borrowed if it is stored and in memory. This is how members that are no arrays are read.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// assert_eq!(*npz.member("notes.txt")?.bytes()?, *b"plain text\n");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        self.find(|found| found.bytes())
    }

    /// Lends the whole content as a stream: any size, in bounded memory. What was read to its end has been held against
    /// its CRC-32 when this returns.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member, and what `work` returns.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// let mut notes = Vec::new();
    /// npz.member("notes.txt")?.stream(|stream| std::io::copy(stream, &mut notes))?;
    /// assert_eq!(notes, b"plain text\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream<T, E: From<Error>>(&self, work: impl FnOnce(&mut Stream<'_>) -> Result<T, E>) -> Result<T, E> {
        let about = |error: Error| error.in_member(self.key()).in_file(self.archive.path());
        self.find(|found| found.stream(&about, work))?
    }

    /// Lends the elements as a stream, as they lie: in the byte order of the dtype and the order of the header.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header), [`Pickled`](ErrorKind::Pickled), and what `work` returns.
    ///
    /// ```
    /// use npzmap::{Error, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let sum = npz.member("labels")?.stream_elements(|header, stream| {
    ///     let mut sum = 0;
    ///     for _ in 0..header.count() {
    ///         let mut item = [0; 8];
    ///         stream.read_exact(&mut item)?;
    ///         sum += i64::from_le_bytes(item);
    ///     }
    ///     Ok::<_, Error>(sum)
    /// })?;
    /// assert_eq!(sum, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn stream_elements<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Header, &mut Stream<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let about = |error: Error| error.in_member(self.key()).in_file(self.archive.path());
        self.find(|found| found.stream_elements(&about, work))?
    }

    /// Reads the member and holds it against its CRC-32.
    ///
    /// # Errors
    ///
    /// [`Checksum`](ErrorKind::Checksum), and whatever else is wrong with the member. Whether its content is an
    /// array is not looked at.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[190] ^= 1; // in the first element of `features`
    /// let npz = Npz::new(bytes)?;
    /// let damaged = npz.members().filter(|member| member.verify().is_err());
    /// assert_eq!(damaged.map(|member| member.key()).collect::<Vec<_>>(), ["features"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn verify(&self) -> Result<()> {
        self.find(|found| found.verify())
    }

    /// Everything that is wrong with the member, where the other calls return the first error: each field in which the
    /// local header contradicts the directory and, behind such a header too, a bad `.npy` header and, unless `verify`
    /// is [`Never`](Verify::Never), damaged content. Other content than an array is no fault; elements are not judged.
    ///
    /// ```
    /// use npzmap::{Npz, Verify};
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[14] ^= 1; // the CRC-32 in the local header of `features`
    /// bytes[190] ^= 1; // its first element
    /// let npz = Npz::new(bytes)?;
    /// let rules = |verify| -> Vec<_> {
    ///     npz.members().flat_map(|member| member.faults(verify)).map(|fault| fault.kind().rule()).collect()
    /// };
    /// assert_eq!(rules(Verify::Never), [Some("Z2")]);
    /// assert_eq!(rules(Verify::Always), [Some("Z2"), Some("Z27")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn faults(&self, verify: Verify) -> Vec<Error> {
        let mut faults = Vec::new();
        let located = self.locate_with(&mut |error| {
            faults.push(error);
            Ok(())
        });
        let offset = self.archive.directory.check(&self.record).ok().map(|place| place.offset);
        if let Some(offset) = offset {
            faults = faults.into_iter().map(|error| error.at(offset)).collect();
        }
        match located {
            Err(error) => faults.push(error),
            Ok(found) => {
                let header = found.header().err().filter(|error| !matches!(error.kind(), ErrorKind::NotAnArray));
                let verify = verify != Verify::Never;
                let content = if verify { found.verify().err() } else { None };
                faults.extend(header.into_iter().chain(content).map(|error| found.locate_fault(error)));
            }
        }
        faults.into_iter().map(|error| error.in_member(self.key()).in_file(self.archive.path())).collect()
    }

    /// Returns the array, with its local header checked and its `.npy` header parsed: the handle that has every verb.
    ///
    /// # Errors
    ///
    /// [`NotAnArray`](ErrorKind::NotAnArray), and whatever is wrong with the member or with its header.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// for member in &npz {
    ///     let array = member.array()?;
    ///     println!("{} {} {:?}", member.key(), array.dtype(), array.shape());
    /// }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn array(&self) -> Result<NpyArray<'a, S>> {
        NpyArray::new(self.locate(), self.context())
    }

    /// Returns the content as a stream: decompressed, of any length, with the header of an array.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member. Reading: [`BadStream`](ErrorKind::BadStream),
    /// [`Checksum`](ErrorKind::Checksum), and what the source says, as an [`io::Error`](std::io::Error) that holds the
    /// [`Error`].
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// let mut text = String::new();
    /// std::io::Read::read_to_string(&mut npz.member("notes.txt")?.reader()?, &mut text)?;
    /// assert!(!text.is_empty());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn reader(&self) -> Result<Reader<'a, S>> {
        self.find(|found| {
            let mut content = found.content(found.checks_copies())?;
            if content.left() == 0 {
                content.finish()?; // no read will do it
            }
            Ok(Reader::of_content(found.clone(), self.context(), content))
        })
    }

    /// Returns the bytes of the file that hold the member: from its local header to what follows it. They are known from the
    /// directory alone, so one request always suffices.
    ///
    /// # Errors
    ///
    /// What the directory alone says against the member, as for [`Npz::member`].
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let span = npz.member("features")?.span()?;
    /// assert_eq!(span, 0..238); // 62 bytes of local header, 128 of header, 48 of elements
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn span(&self) -> Result<Range<u64>> {
        let span = || {
            let place = self.archive.directory.check(&self.record)?;
            let next = self.archive.directory.next_start(self.archive.directory_bytes()?, &self.record, place);
            Ok(place.offset..next.max(place.offset))
        };
        span().map_err(|error| self.context().add(error))
    }

    fn context(&self) -> Context<'a> {
        let raw = &self.record.raw;
        Context { name: Some((raw.name, raw.is_utf8())), path: self.archive.path() }
    }

    /// The general purpose flags (APPNOTE 4.4.4).
    #[cfg(feature = "write")]
    pub(crate) fn flags(&self) -> u16 {
        self.record.raw.flags()
    }

    /// Finds the member's bytes and works on them. The one place where errors learn which member they are about.
    pub(crate) fn find<R>(&self, work: impl FnOnce(&Found<'a, S>) -> Result<R>) -> Result<R> {
        let located = self.locate();
        let result = located.and_then(|found| work(&found).map_err(|error| found.locate_fault(error)));
        result.map_err(|error| error.in_member(self.key()).in_file(self.archive.path()))
    }

    /// Judges the member by the directory, then reads its local header and holds it against the record.
    pub(crate) fn locate(&self) -> Result<Found<'a, S>> {
        self.locate_with(&mut Err)
    }

    /// The same, for whoever decides what is done about contradictions.
    pub(crate) fn locate_with(&self, contradicted: Contradicted<'_>) -> Result<Found<'a, S>> {
        let archive = self.archive;
        let place = archive.directory.check(&self.record)?;
        let next = archive.directory.next_start(archive.directory_bytes()?, &self.record, place);
        let (data, seen) = self.read_local(place, next, contradicted).map_err(|error| error.at(place.offset))?;
        let raw = &self.record.raw;
        let coded = Coded { method: raw.method(), flags: raw.flags(), place, crc32: self.crc32() };
        Ok(Found::new(&archive.source, coded, data, seen, &archive.options))
    }

    fn read_local(&self, place: Place, next: u64, contradicted: Contradicted<'_>) -> Result<(Range<u64>, Seen<'a>)> {
        let (source, raw) = (&*self.archive.source, &self.record.raw);
        // The directory was checked to lie within the source, and nothing reaches into it.
        let start = place.offset.min(next);
        if let Some(slice) = source.as_slice() {
            let bytes = window(slice, 0, start..next).ok_or_else(unexpected_end)?;
            return match local::check(bytes, raw, place, next, contradicted)? {
                Local::Data(data) => {
                    let all = window(slice, 0, data.clone()).ok_or_else(unexpected_end)?;
                    Ok((data, Seen::All(all)))
                }
                Local::Needs(length) => Err(overlap(place.offset.saturating_add(length), next)),
            };
        }
        let mut length = LOCAL_FIXED + raw.name.len() as u64 + WINDOW;
        // A second look, if the local extra field is long; the header's own length cannot grow again.
        for _ in 0..2 {
            let end = start.saturating_add(length).min(next);
            let mut bytes: Vec<u8> = buffer::zeroed(usize::try_from(end - start).unwrap_or(usize::MAX))?;
            read_at(source, start, &mut bytes)?;
            match local::check(&bytes, raw, place, next, contradicted)? {
                Local::Data(data) => {
                    let header = usize::try_from(data.start - place.offset).unwrap_or(usize::MAX);
                    bytes.drain(..header.min(bytes.len()));
                    bytes.truncate(usize::try_from(data.end - data.start).unwrap_or(usize::MAX));
                    return Ok((data, Seen::Some(bytes)));
                }
                Local::Needs(needed) if needed > next - start => break,
                Local::Needs(needed) => length = needed + WINDOW,
            }
        }
        Err(overlap(place.offset.saturating_add(length), next))
    }
}

fn unexpected_end() -> Error {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

fn overlap(end: u64, start: u64) -> Error {
    let what = "what follows the member";
    ErrorKind::Overlap { end, what, start }.into()
}

impl<S: Source> fmt::Debug for Member<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("key", &self.key())
            .field("method", &self.method())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
