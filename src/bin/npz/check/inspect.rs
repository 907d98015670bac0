//! One member: every departure of its headers, its content and its elements. What is large is read by several threads.

use std::io::Read;
use std::ops::Range;

use crc32fast::Hasher;
use npzmap::{Error, ErrorKind, Header, Method, NpyArray, Source, Verify};
use rayon::prelude::*;

use super::Fault;
use super::values::Values;
use crate::args::Reading;
use crate::exit::Code;
use crate::input::{Entry, zeroed};
use crate::progress::Progress;

/// What a thread reads of a stored member before it takes the next part.
const PART: u64 = 16 << 20;

pub(super) fn inspect(entry: &Entry<'_>, quick: bool, reading: &Reading, progress: &Progress) -> Vec<Fault> {
    let key = entry.key();
    let fault = |error: &Error| Fault::of(&key, error);
    let array = match entry.try_array() {
        Ok(array) => array,
        Err(error) => {
            let verify = if quick { Verify::Never } else { Verify::Always };
            let faults: Vec<_> = match entry {
                Entry::Member(member) => member.faults(verify).iter().map(fault).collect(),
                Entry::Plain(_) => vec![fault(&error)],
            };
            progress.add(entry.size());
            return faults;
        }
    };
    let (header, offset) = match &array {
        Some(array) => (Some(array.header()), array.data_offset()),
        None => (None, entry.content_offset().ok().flatten()),
    };
    let mut faults = Vec::new();
    if let Some(array) = &array {
        let (dtype, count) = (array.dtype(), array.len());
        if let Err(error) = array.access_in_map() {
            faults.push(fault(&error)); // pickled objects
        } else if dtype.item_size() == 0 && count > 0 {
            let error = ErrorKind::ZeroSizedItems { count }.into();
            faults.push(Fault { offset, ..fault(&error) });
        }
    }
    if quick {
        return faults;
    }
    let mut values = Values::new(header);
    if let Err(failure) = reading.check(&key, values.unit()) {
        // The content is still held against its CRC.
        let problem = failure.to_string();
        faults.push(Fault { member: Some(key.to_string()), rule: Some("L5"), offset, problem, code: Code::Found });
        values = Values::new(None);
    }
    let checked = match offset {
        Some(offset) if entry.method() == Method::Stored => check_stored(entry, offset, header, &mut values, progress),
        _ => check_decoded(entry, array.as_ref(), &mut values, progress),
    };
    if let Err(error) = checked {
        // The CRC is of everything behind the local header.
        let start = offset.map(|offset| offset - preamble(header).min(offset));
        faults.push(Fault { offset: error.offset().or(start), ..fault(&error) });
    }
    for (bad, kind) in values.found() {
        let error = Error::from(kind);
        let problem = match bad.count {
            1 => Fault::of(&key, &error).problem,
            count => format!("{}; the first of {count}", Fault::of(&key, &error).problem),
        };
        let offset = offset.map(|offset| offset + bad.first);
        faults.push(Fault { offset, problem, ..fault(&error) });
    }
    faults
}

fn preamble(header: Option<&Header>) -> u64 {
    header.map_or(0, |header| header.preamble_size() as u64)
}

/// Reads the parts of a stored member side by side. `payload` is where its elements begin, if it is an array.
fn check_stored(
    entry: &Entry<'_>,
    payload: u64,
    header: Option<&Header>,
    values: &mut Values,
    progress: &Progress,
) -> Result<(), Error> {
    let preamble = preamble(header);
    let (start, end) =
        (payload.saturating_sub(preamble), payload.saturating_add(entry.size().saturating_sub(preamble)));
    let unit = values.unit().max(1) as u64;
    let part = (PART / unit).max(1).saturating_mul(unit);
    // The preamble, then the elements in whole units.
    let parts = (0..(end - payload).div_ceil(part)).into_par_iter().map(|index| {
        let from = payload + index * part;
        let mut values = values.at(from - payload);
        let crc = read(entry, from..end.min(from.saturating_add(part)), &mut values, progress)?;
        Ok::<_, Error>((crc, values))
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let mut crc = read(entry, start..payload, &mut Values::new(None), progress)?;
    for (next, found) in parts {
        crc.combine(&next);
        values.join(found);
    }
    let computed = crc.finalize();
    match entry.crc32() {
        Some(stored) if stored != computed => Err(ErrorKind::Checksum { computed, stored }.into()),
        _ => Ok(()),
    }
}

fn read(entry: &Entry<'_>, range: Range<u64>, values: &mut Values, progress: &Progress) -> Result<Hasher, Error> {
    let mut crc = Hasher::new();
    let mut block = zeroed(values.block(range.end - range.start))?;
    let mut at = range.start;
    while at < range.end {
        let count = block.len().min(usize::try_from(range.end - at).unwrap_or(usize::MAX));
        let block = &mut block[..count];
        entry.source().read_exact_at(at, block)?;
        crc.update(block);
        values.look(block);
        progress.add(count as u64);
        at += count as u64;
    }
    Ok(crc)
}

fn check_decoded(
    entry: &Entry<'_>,
    array: Option<&NpyArray<'_>>,
    values: &mut Values,
    progress: &Progress,
) -> Result<(), Error> {
    let mut reader = match array {
        Some(array) if !array.dtype().has_object() => array.reader()?,
        _ => entry.reader()?,
    };
    let mut block = zeroed(values.block(reader.left()))?;
    while reader.left() > 0 {
        let count = block.len().min(usize::try_from(reader.left()).unwrap_or(usize::MAX));
        let block = &mut block[..count];
        reader.read_exact(block)?;
        values.look(block);
        progress.add(count as u64);
    }
    Ok(())
}
