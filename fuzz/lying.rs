//! Whatever any field of an archive says, the content of each member is what a plain reading of the rules gives, or an
//! error. Where nothing lies but what nobody reads, such as a date, it is what was put in.

#[path = "lying/reading.rs"]
mod reading;

use arbitrary::{Arbitrary, Unstructured};
use npzmap::{Npz, OpenOptions, Source, Verify};

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
        hold(options.source(&bytes[..]).ok(), &expected, truth.is_some(), verify == Verify::Always);
        hold(options.source(ByPosition(&bytes)).ok(), &expected, truth.is_some(), verify != Verify::Never);
    }
}

/// Holds what the library reads against what is expected of it; all of it, if nothing lies.
fn hold<S: Source>(npz: Option<Npz<S>>, expected: &Option<Vec<reading::Member>>, sound: bool, checked: bool) {
    let Some(npz) = npz else { return assert!(!sound, "a sound archive is opened") };
    let expected = expected.as_ref().expect("what is opened can be read");
    assert!(npz.members().map(|member| member.name()).eq(expected.iter().map(|member| &member.name[..])));
    for (member, expected) in npz.members().zip(expected) {
        let content = member.bytes();
        assert!(!sound || content.is_ok(), "{content:?}");
        let Ok(content) = content else { continue };
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
        let contents: Vec<Vec<u8>> = members.iter().map(Told::content).collect();
        let entries =
            members.iter().zip(&contents).enumerate().map(|(index, (told, content))| told.entry(index, content));
        let mut archive = Archive::new(entries.collect());
        // The size and the compressed size, where the record says that they do not fit.
        for (record, told) in archive.records.iter_mut().zip(members) {
            if told.wide {
                record.extra = forge::zip64_extra(&[record.size.into(), record.compressed_size.into()]);
                (record.size, record.compressed_size) = (forge::WIDE, forge::WIDE);
            }
        }
        for (entry, _) in archive.entries.iter_mut().zip(members).filter(|(_, told)| told.described) {
            let header = &mut entry.header;
            let sizes = [header.crc32, header.compressed_size, header.size].map(u32::to_le_bytes).concat();
            entry.after = [&b"PK\x07\x08"[..], &sizes].concat();
            (header.crc32, header.compressed_size, header.size) = (0, 0, 0);
            header.flags |= 8;
        }
        archive.prefix = vec![b'#'; self.prefix.into()];
        archive.gap = vec![b' '; self.gap.into()];
        archive.end.comment = vec![b'c'; self.comment.into()];
        archive.zip64 = self.zip64.then(Zip64::new);
        archive.lay_out();
        let lies = &self.lies[..self.lies.len().min(6)];
        lies.iter().for_each(|lie| lie.tell(&mut archive));
        let mut bytes = archive.bytes();
        for lie in lies {
            if let Lie::Byte(place, value) = lie
                && let Some(byte) = bytes.get_mut(usize::from(*place))
            {
                *byte = *value;
            }
        }
        (bytes, lies.iter().all(Lie::is_idle).then_some(contents))
    }
}

impl Told {
    fn content(&self) -> Vec<u8> {
        let some = &self.content[..self.content.len().min(300)];
        if self.array { forge::npy("'|u1'", &format!("({},)", some.len()), some) } else { some.to_vec() }
    }

    fn entry(&self, index: usize, content: &[u8]) -> Entry {
        let name = format!("{index}{}", if self.array { ".npy" } else { "" });
        let mut entry = if self.deflated { forge::deflated(&name, content) } else { forge::stored(&name, content) };
        entry.gap = vec![0; self.gap.into()];
        if self.padding > 0 {
            entry.header.extra = forge::extra(0xd935, &vec![0; self.padding.into()]);
        }
        entry
    }
}

impl Lie {
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
