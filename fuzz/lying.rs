//! Whatever any field of an archive says, the content of each member is what a plain reading of the rules gives; and an error
//! where that gives none. Where nothing lies but what nobody reads, such as a date, it is what was put in.

#[path = "lying/reading.rs"]
mod reading;

use arbitrary::{Arbitrary, Unstructured};
use npzmap::{ErrorKind, Method, Npz, OpenOptions, Result, Source, Verify};

use crate::forge::{self, Archive, Entry, Header, Zip64};

/// No more than this, so that a lie finds one.
const MEMBERS: u8 = 4;

/// A sound archive, and what is then changed in it.
#[derive(Arbitrary, Debug)]
struct Story {
    members: Vec<Told>,
    zip64: bool,
    comment: u8,
    prefix: u8,
    gap: u8,
    lies: Vec<Lie>,
    // Whatever is new stands here: what an input says up to here, it goes on to say.
    further: Vec<Further>,
    /// Which fields of the end record are all ones, bit by bit; its zip64 twin has them.
    end_wide: u8,
    wide_lies: Vec<WideLie>,
}

#[derive(Arbitrary, Debug)]
struct Told {
    content: Vec<u8>,
    array: bool,
    deflated: bool,
    wide: bool,
    /// With a data descriptor (APPNOTE 4.3.9), and zeros in the local header.
    described: bool,
    padding: u8,
    gap: u8,
}

/// What else there is to a member.
#[derive(Arbitrary, Debug, Default)]
struct Further {
    naming: Naming,
    /// As in every file of `np.savez`: both sizes of the local header are all ones, and in its zip64 extra field.
    local_wide: bool,
    /// The same of the offset in the record, and of the number of its disk.
    wide_offset: bool,
    wide_disk: bool,
    /// Zip64 extra fields stand behind the others.
    behind: bool,
    paths: Vec<Path>,
}

#[derive(Arbitrary, Debug, Default)]
enum Naming {
    #[default]
    Plain,
    /// ASCII, and marked as UTF-8.
    MarkedPlain,
    Marked,
    /// A byte of the upper half of code page 437.
    Upper(u8),
    /// UTF-8 that is not marked, and is something else in code page 437.
    Unmarked,
    /// Marked as UTF-8, which it is not.
    NotUtf8,
}

/// What a Unicode path field (APPNOTE 4.6.9) in the record holds.
#[derive(Arbitrary, Debug)]
enum Path {
    Same,
    Nothing,
    Other,
    /// The name of a member.
    OfMember(u8),
    /// And what some cut off.
    AndNul(u8),
    NotUtf8,
    /// Another name, with another checksum than that of the member's.
    Stale(u8),
    Version(u8),
    /// In the local header, where nobody looks.
    Local(u8),
}

#[derive(Arbitrary, Debug)]
enum Lie {
    Local(u8, Field, Value),
    Record(u8, Field, Value),
    End(EndField, Value),
    Zip64(Zip64Field, Value),
    /// A byte of the archive as it was written.
    Byte(u16, u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Field {
    /// A byte of it, like the other numbers here.
    Signature(u8),
    Version(u8),
    Flags,
    Method,
    Crc32,
    CompressedSize,
    Size,
    NameLength,
    ExtraLength,
    CommentLength,
    Disk,
    Offset,
    Name,
    /// Eight bytes more, which its length counts.
    Extra,
    MadeBy(u8),
    Time,
    Date,
    InternalAttributes,
    ExternalAttributes,
}

#[derive(Arbitrary, Debug)]
enum EndField {
    Signature(u8),
    Disk,
    FirstDisk,
    DiskEntries,
    Entries,
    Size,
    Offset,
    CommentLength,
}

#[derive(Arbitrary, Debug)]
enum Zip64Field {
    Signature(u8),
    Length,
    Disk,
    FirstDisk,
    DiskEntries,
    Entries,
    Size,
    Offset,
    LocatorSignature(u8),
    LocatorDisk,
    LocatorOffset,
    Disks,
    MadeBy(u8),
    Version(u8),
}

/// What stands in zip64 extra fields, and around the zip64 end record.
#[derive(Arbitrary, Debug)]
enum WideLie {
    Local(u8, WideField, Value),
    Record(u8, WideField, Value),
    /// All extra fields of a record, once more.
    Again(u8),
    /// Bytes between the zip64 end record and its locator, which its length counts or not.
    Extensible(u8, bool),
    /// Bytes between the locator and the end record.
    Between(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum WideField {
    Tag,
    Length,
    Size,
    CompressedSize,
    Offset,
    Disk,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Value {
    Plus(i8),
    Ones,
    Exactly(u64),
}

impl Value {
    fn of(self, truth: u64) -> u64 {
        match self {
            Value::Plus(delta) => truth.wrapping_add_signed(delta.into()),
            Value::Ones => u64::MAX,
            Value::Exactly(value) => value,
        }
    }

    /// In place of a number of no more than 8 bytes.
    fn write(self, number: &mut [u8]) {
        let mut truth = [0; 8];
        truth[..number.len()].copy_from_slice(number);
        number.copy_from_slice(&self.of(u64::from_le_bytes(truth)).to_le_bytes()[..number.len()]);
    }
}

/// Cut to the field's width, as a writer would. Of several bytes, about one of them.
macro_rules! lie {
    ($field:expr, $value:expr) => {
        $field = $value.of(u64::from($field)) as _
    };
    ($field:expr, $index:expr, $value:expr) => {{
        let index = usize::from(*$index) % $field.len();
        lie!($field[index], $value)
    }};
}

pub(crate) fn lying(bytes: &[u8]) {
    let Ok(story) = Story::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let (bytes, truth) = story.told();
    let expected = reading::read(&bytes);
    if let Some(truth) = &truth {
        let read = expected.as_ref().expect("a sound archive").iter();
        assert!(read.map(|member| member.content.as_ref()).eq(truth.iter().map(Some)), "the reading itself");
    }
    for verify in [Verify::Never, Verify::Copied, Verify::Always] {
        let options = OpenOptions::new().verify(verify);
        hold(options.source(&bytes[..]), &expected, truth.is_some(), verify == Verify::Always);
        hold(options.source(ByPosition(&bytes)), &expected, truth.is_some(), verify != Verify::Never);
    }
}

/// Holds what the library reads against what is expected of it; all of it, if nothing lies.
fn hold<S: Source>(npz: Result<Npz<S>>, expected: &Option<Vec<reading::Member>>, sound: bool, checked: bool) {
    let npz = match npz {
        Ok(npz) => npz,
        Err(error) => {
            // What stands before an archive is looked at more closely than by the reading.
            let is_prefix = matches!(error.kind(), ErrorKind::AmbiguousStart { .. } | ErrorKind::PrefixMismatch { .. });
            return assert!(!sound && (is_prefix || expected.is_none()), "{error:?}");
        }
    };
    let expected = expected.as_ref().expect("what is opened can be read");
    assert!(npz.members().map(|member| member.name()).eq(expected.iter().map(|member| &member.name[..])));
    for (member, expected) in npz.members().zip(expected) {
        assert!(expected.text.as_ref().is_none_or(|text| member.text() == *text), "{member:?}");
        let content = member.bytes();
        assert!(!sound || content.is_ok(), "{content:?}");
        let content = match content {
            Ok(content) => content,
            // Not for nothing.
            Err(error) => {
                let is_checksum = matches!(error.kind(), ErrorKind::Checksum { .. });
                let is_damaged = |content: &[u8]| is_checksum && reading::crc32(content) != member.crc32();
                assert!(expected.content.as_deref().is_none_or(is_damaged), "{error:?}");
                continue;
            }
        };
        if !matches!(member.method(), Method::Stored | Method::Deflated) {
            continue; // a lie that came true
        }
        assert_eq!(Some(&*content), expected.content.as_deref(), "{member:?}");
        assert!(!checked || reading::crc32(&content) == member.crc32(), "{member:?}");
        let found = npz.member(&member.text());
        assert!(!sound || found.is_ok());
        assert!(found.is_err() || found.is_ok_and(|found| found.name() == member.name()));
    }
}

struct ByPosition<'a>(&'a [u8]);

impl Source for ByPosition<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(offset, buf)
    }
}

impl Story {
    /// The archive, and what was put in if no lie matters.
    fn told(&self) -> (Vec<u8>, Option<Vec<Vec<u8>>>) {
        let members = &self.members[..self.members.len().min(MEMBERS.into())];
        let further: Vec<&Further> = (0..members.len()).map(|index| self.further(index)).collect();
        let contents: Vec<Vec<u8>> = members.iter().map(Told::content).collect();
        let mut archive = self.of_members(members, &contents);
        archive.prefix = vec![b'#'; self.prefix.into()];
        archive.gap = vec![b' '; self.gap.into()];
        archive.end.comment = vec![b'c'; self.comment.into()];
        archive.zip64 = (self.zip64 || self.end_wide != 0).then(Zip64::new);
        let lies = &self.lies[..self.lies.len().min(6)];
        let (longer, lies): (Vec<_>, Vec<_>) = lies.iter().partition(|lie| lie.is_longer());
        longer.iter().for_each(|lie| lie.tell(&mut archive));
        archive.lay_out(); // so that offsets are known
        for (record, (told, further)) in archive.records.iter_mut().zip(members.iter().zip(&further)) {
            further.widen(record, told.wide);
        }
        let wide_lies = &self.wide_lies[..self.wide_lies.len().min(6)];
        for lie in wide_lies {
            if let WideLie::Again(index) = lie
                && let Some(record) = archive.records.get_mut(usize::from(index % MEMBERS))
            {
                record.extra.extend_from_within(..);
            }
        }
        archive.lay_out();
        let wide_offsets = archive.records.iter_mut().zip(&further).filter(|(_, further)| further.wide_offset);
        wide_offsets.for_each(|(record, _)| record.offset = forge::WIDE);
        self.widen_end(&mut archive);
        lies.iter().for_each(|lie| lie.tell(&mut archive));
        wide_lies.iter().for_each(|lie| lie.tell(&mut archive));
        let mut bytes = archive.bytes();
        for lie in &lies {
            if let Lie::Byte(place, value) = lie
                && let Some(byte) = bytes.get_mut(usize::from(*place))
            {
                *byte = *value;
            }
        }
        let sound = self.lies.iter().take(6).all(Lie::is_idle) && wide_lies.is_empty();
        (bytes, (sound && further.iter().all(|further| further.is_sound())).then_some(contents))
    }

    /// Their local headers are as they will be; their records have all that does not depend on places.
    fn of_members(&self, members: &[Told], contents: &[Vec<u8>]) -> Archive {
        let names: Vec<Vec<u8>> = members.iter().enumerate().map(|(index, told)| self.name(index, told)).collect();
        let entries = members.iter().zip(contents).map(|(told, content)| told.entry(content));
        let mut archive = Archive::new(entries.collect());
        for (index, (entry, record)) in archive.entries.iter_mut().zip(&mut archive.records).enumerate() {
            let (told, further) = (&members[index], self.further(index));
            for header in [&mut entry.header, record] {
                header.name.clone_from(&names[index]);
                header.flags = if further.naming.is_marked() { 1 << 11 } else { 0 };
            }
            further.paths().iter().for_each(|path| path.tell(&names, index, &mut entry.header, record));
            told.hide_sizes(entry, further.local_wide);
            if further.local_wide {
                let header = &mut entry.header;
                let wide = forge::zip64_extra(&[header.size.into(), header.compressed_size.into()]);
                further.extend(&mut header.extra, wide);
                (header.size, header.compressed_size) = (forge::WIDE, forge::WIDE);
            }
        }
        archive
    }

    fn further(&self, index: usize) -> &Further {
        const NONE: &Further = &Further {
            naming: Naming::Plain,
            local_wide: false,
            wide_offset: false,
            wide_disk: false,
            behind: false,
            paths: Vec::new(),
        };
        self.further.get(index).unwrap_or(NONE)
    }

    /// No other member has it, whatever it is read as.
    fn name(&self, index: usize, told: &Told) -> Vec<u8> {
        let middle = match self.further(index).naming {
            Naming::Plain | Naming::MarkedPlain => &b""[..],
            Naming::Marked | Naming::Unmarked => "é日".as_bytes(),
            Naming::Upper(byte) => &[byte | 0x80],
            Naming::NotUtf8 => b"\xff",
        };
        [index.to_string().as_bytes(), middle, if told.array { b".npy" } else { b"" }].concat()
    }

    fn widen_end(&self, archive: &mut Archive) {
        let end = &mut archive.end;
        let is_wide = |bit: u8| self.end_wide >> bit & 1 == 1;
        let narrow = [&mut end.disk, &mut end.first_disk, &mut end.disk_entries, &mut end.entries];
        narrow.into_iter().zip(0..).filter(|(_, bit)| is_wide(*bit)).for_each(|(field, _)| *field = forge::WIDE16);
        let wide = [&mut end.size, &mut end.offset].into_iter().zip(4..);
        wide.filter(|(_, bit)| is_wide(*bit)).for_each(|(field, _)| *field = forge::WIDE);
    }
}

impl Told {
    fn content(&self) -> Vec<u8> {
        let some = &self.content[..self.content.len().min(300)];
        if self.array { forge::npy("'|u1'", &format!("({},)", some.len()), some) } else { some.to_vec() }
    }

    fn entry(&self, content: &[u8]) -> Entry {
        let mut entry = if self.deflated { forge::deflated("", content) } else { forge::stored("", content) };
        entry.gap = vec![0; self.gap.into()];
        if self.padding > 0 {
            entry.header.extra = forge::extra(0xd935, &vec![0; self.padding.into()]);
        }
        entry
    }

    /// Puts what the local header does not say behind the data, with sizes of 64 bits where its own are (APPNOTE 4.3.9.2).
    fn hide_sizes(&self, entry: &mut Entry, wide: bool) {
        if !self.described {
            return;
        }
        let header = &mut entry.header;
        let sizes = [header.compressed_size, header.size];
        let sizes = if wide {
            sizes.map(u64::from).map(u64::to_le_bytes).concat()
        } else {
            sizes.map(u32::to_le_bytes).concat()
        };
        entry.after = [&b"PK\x07\x08"[..], &header.crc32.to_le_bytes(), &sizes].concat();
        (header.crc32, header.compressed_size, header.size) = (0, 0, 0);
        header.flags |= 8;
    }
}

impl Further {
    /// Moves what is too large for the record, if it were, to a zip64 extra field; the offset, which is laid out, not yet.
    fn widen(&self, record: &mut Header, sizes: bool) {
        let mut values = Vec::new();
        if sizes {
            values.extend([record.size, record.compressed_size].map(u64::from));
            (record.size, record.compressed_size) = (forge::WIDE, forge::WIDE);
        }
        values.extend(self.wide_offset.then_some(u64::from(record.offset)));
        let mut content: Vec<u8> = values.into_iter().flat_map(u64::to_le_bytes).collect();
        if self.wide_disk {
            content.extend(u32::from(record.disk).to_le_bytes());
            record.disk = forge::WIDE16;
        }
        if !content.is_empty() {
            self.extend(&mut record.extra, forge::extra(1, &content));
        }
    }

    fn extend(&self, extra: &mut Vec<u8>, zip64: Vec<u8>) {
        *extra = if self.behind { [&extra[..], &zip64].concat() } else { [&zip64[..], extra].concat() };
    }

    /// As many as fit into an extra field that is there several times.
    fn paths(&self) -> &[Path] {
        &self.paths[..self.paths.len().min(4)]
    }

    /// Whether everybody reads it in one way.
    fn is_sound(&self) -> bool {
        let is_sound = |path: &Path| {
            matches!(path, Path::Same | Path::Nothing | Path::Stale(_) | Path::Version(_) | Path::Local(_))
        };
        !matches!(self.naming, Naming::NotUtf8) && self.paths().iter().all(is_sound)
    }
}

impl Naming {
    fn is_marked(&self) -> bool {
        matches!(self, Naming::MarkedPlain | Naming::Marked | Naming::NotUtf8)
    }
}

impl Path {
    /// Adds the field to the member at `index` of those with these names.
    fn tell(&self, names: &[Vec<u8>], index: usize, local: &mut Header, record: &mut Header) {
        let own = crc32fast::hash(&names[index]);
        // As its bytes say, marked or not.
        let of_member = |index: u8| names[usize::from(index) % names.len()].clone();
        let (version, checksum, name) = match self {
            Path::Same => (1, own, reading::text(&names[index], record.flags != 0).unwrap_or_default().into_bytes()),
            Path::Nothing => (1, own, Vec::new()),
            Path::Other => (1, own, b"other.npy".to_vec()),
            Path::OfMember(index) => (1, own, of_member(*index)),
            Path::AndNul(index) => (1, own, [&of_member(*index)[..], b"\0.npy"].concat()),
            Path::NotUtf8 => (1, own, b"\xff.npy".to_vec()),
            Path::Stale(index) => (1, !own, of_member(*index)),
            Path::Version(version) => (if *version == 1 { 2 } else { *version }, own, of_member(*version)),
            Path::Local(index) => (1, own, of_member(*index)),
        };
        let header = if matches!(self, Path::Local(_)) { local } else { record };
        header.extra.extend(forge::extra(0x7075, &[&[version][..], &checksum.to_le_bytes(), &name].concat()));
    }
}

impl Lie {
    /// Whether it makes something longer, so that all places are others.
    fn is_longer(&self) -> bool {
        matches!(self, Lie::Local(_, Field::Extra, _) | Lie::Record(_, Field::Extra, _))
    }

    /// Whether it is about what nobody reads (docs/hostile.md, Z28 and Z29).
    fn is_idle(&self) -> bool {
        match self {
            Lie::Local(_, field, _) => field.is_idle() || matches!(field, Field::Version(_)),
            Lie::Record(_, field, _) => field.is_idle() || matches!(field, Field::Version(index) if index % 2 == 1),
            Lie::Zip64(field, _) => matches!(field, Zip64Field::MadeBy(_) | Zip64Field::Version(_)),
            Lie::End(..) | Lie::Byte(..) => false,
        }
    }

    fn tell(&self, archive: &mut Archive) {
        match self {
            Lie::Local(index, field, value) => {
                let mut headers = archive.entries.iter_mut().map(|entry| &mut entry.header);
                headers.nth(usize::from(index % MEMBERS)).into_iter().for_each(|header| field.lie(header, *value));
            }
            Lie::Record(index, field, value) => {
                let mut records = archive.records.iter_mut();
                records.nth(usize::from(index % MEMBERS)).into_iter().for_each(|record| field.lie(record, *value));
            }
            Lie::End(field, value) => {
                let end = &mut archive.end;
                match field {
                    EndField::Signature(index) => lie!(end.signature, index, value),
                    EndField::Disk => lie!(end.disk, value),
                    EndField::FirstDisk => lie!(end.first_disk, value),
                    EndField::DiskEntries => lie!(end.disk_entries, value),
                    EndField::Entries => lie!(end.entries, value),
                    EndField::Size => lie!(end.size, value),
                    EndField::Offset => lie!(end.offset, value),
                    EndField::CommentLength => lie!(end.comment_length, value),
                }
            }
            Lie::Zip64(field, value) => {
                let Some(zip64) = &mut archive.zip64 else { return };
                match field {
                    Zip64Field::Signature(index) => lie!(zip64.signature, index, value),
                    Zip64Field::Length => lie!(zip64.length, value),
                    Zip64Field::Disk => lie!(zip64.disk, value),
                    Zip64Field::FirstDisk => lie!(zip64.first_disk, value),
                    Zip64Field::DiskEntries => lie!(zip64.disk_entries, value),
                    Zip64Field::Entries => lie!(zip64.entries, value),
                    Zip64Field::Size => lie!(zip64.size, value),
                    Zip64Field::Offset => lie!(zip64.offset, value),
                    Zip64Field::LocatorSignature(index) => lie!(zip64.locator_signature, index, value),
                    Zip64Field::LocatorDisk => lie!(zip64.locator_disk, value),
                    Zip64Field::LocatorOffset => lie!(zip64.locator_offset, value),
                    Zip64Field::Disks => lie!(zip64.disks, value),
                    Zip64Field::MadeBy(index) => lie!(zip64.made_by, index, value),
                    Zip64Field::Version(index) => lie!(zip64.version, index, value),
                }
            }
            Lie::Byte(..) => {} // when all is written
        }
    }
}

impl WideLie {
    fn tell(&self, archive: &mut Archive) {
        match (self, &mut archive.zip64) {
            (WideLie::Local(index, field, value), _) => {
                let mut headers = archive.entries.iter_mut().map(|entry| &mut entry.header);
                headers.nth(usize::from(index % MEMBERS)).into_iter().for_each(|header| field.lie(header, *value));
            }
            (WideLie::Record(index, field, value), _) => {
                let mut records = archive.records.iter_mut();
                records.nth(usize::from(index % MEMBERS)).into_iter().for_each(|record| field.lie(record, *value));
            }
            (WideLie::Extensible(count, counted), Some(zip64)) => {
                zip64.extensible = vec![b'e'; usize::from(*count)];
                zip64.length = zip64.length.wrapping_add(if *counted { u64::from(*count) } else { 0 });
            }
            (WideLie::Between(count), Some(zip64)) => zip64.gap = vec![b'b'; usize::from(*count)],
            (WideLie::Again(_) | WideLie::Extensible(..) | WideLie::Between(_), _) => {} // before, or about nothing
        }
    }
}

impl WideField {
    /// About the first zip64 extra field, as far as it goes.
    fn lie(self, header: &mut Header, value: Value) {
        let mut at = 0;
        let field = loop {
            let Some([a, b, c, d]) = header.extra.get(at..).and_then(|rest| rest.first_chunk()) else { return };
            if [*a, *b] == [1, 0] {
                break at;
            }
            at += 4 + usize::from(u16::from_le_bytes([*c, *d]));
        };
        // Where each value begins: behind those before it that are there.
        let sizes = [header.size, header.compressed_size, header.offset].map(|narrow| narrow == forge::WIDE);
        let behind = |count: usize| field + 4 + 8 * sizes[..count].iter().filter(|wide| **wide).count();
        let (start, length) = match self {
            WideField::Tag => (field, 2),
            WideField::Length => (field + 2, 2),
            WideField::Size => (behind(0), 8),
            WideField::CompressedSize => (behind(1), 8),
            WideField::Offset => (behind(2), 8),
            WideField::Disk => (behind(3), 4),
        };
        if let Some(number) = header.extra.get_mut(start..start + length) {
            value.write(number);
        }
    }
}

impl Field {
    fn is_idle(self) -> bool {
        use Field as F;
        matches!(self, F::MadeBy(_) | F::Time | F::Date | F::InternalAttributes | F::ExternalAttributes)
    }

    fn lie(&self, header: &mut Header, value: Value) {
        match self {
            Field::Signature(index) => lie!(header.signature, index, value),
            Field::Version(index) => lie!(header.version, index, value),
            Field::Flags => lie!(header.flags, value),
            Field::Method => lie!(header.method, value),
            Field::Crc32 => lie!(header.crc32, value),
            Field::CompressedSize => lie!(header.compressed_size, value),
            Field::Size => lie!(header.size, value),
            Field::NameLength => lie!(header.name_length, value),
            Field::ExtraLength => lie!(header.extra_length, value),
            Field::CommentLength => lie!(header.comment_length, value),
            Field::Disk => lie!(header.disk, value),
            Field::Offset => lie!(header.offset, value),
            Field::Name => header.name.iter_mut().for_each(|byte| lie!(*byte, value)),
            Field::Extra => header.extra.extend(value.of(0).to_le_bytes()),
            Field::MadeBy(index) => lie!(header.made_by, index, value),
            Field::Time => lie!(header.time, value),
            Field::Date => lie!(header.date, value),
            Field::InternalAttributes => lie!(header.internal_attributes, value),
            Field::ExternalAttributes => lie!(header.external_attributes, value),
        }
    }
}
