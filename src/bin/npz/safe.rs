//! The safetensors format: its header by its own crate, its tensors by position.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use npzmap::{ByteOrder, Dtype, ErrorKind, Header, Kind, Order, ReadAt, Save, Scalar, Source};
use safetensors::tensor::{Dtype as Tensor, Metadata, TensorInfo};

use crate::args::Reading;
use crate::elements::in_c_order;
use crate::exit::{Code, Failure, Result};
use crate::input::{BLOCK, Entry, zeroed};
use crate::progress::Progress;
use crate::select::Select;

/// What the crate reads at most.
const LONGEST_HEADER: u64 = 100_000_000;

/// The tensor type of an array's elements; or why there is none.
pub(crate) fn tensor_type(dtype: &Dtype, v2_is_bf16: bool) -> Result<Tensor, String> {
    let none = || Err(format!("dtype {dtype} has no counterpart"));
    let Some(scalar) = dtype.as_scalar() else { return none() };
    Ok(match (scalar.kind(), scalar.item_size()) {
        (Kind::Bool, _) => Tensor::BOOL,
        (Kind::Int, 1) => Tensor::I8,
        (Kind::Int, 2) => Tensor::I16,
        (Kind::Int, 4) => Tensor::I32,
        (Kind::Int, 8) => Tensor::I64,
        (Kind::UInt, 1) => Tensor::U8,
        (Kind::UInt, 2) => Tensor::U16,
        (Kind::UInt, 4) => Tensor::U32,
        (Kind::UInt, 8) => Tensor::U64,
        (Kind::Float, 2) => Tensor::F16,
        (Kind::Float, 4) => Tensor::F32,
        (Kind::Float, 8) => Tensor::F64,
        (Kind::Complex, 8) => Tensor::C64,
        (Kind::Void, 2) if v2_is_bf16 => Tensor::BF16,
        (Kind::Void, 2) => return Err(format!("dtype {dtype} may be bfloat16; --bf16 takes it for that")),
        _ => return none(),
    })
}

/// The dtype of a tensor's elements.
fn array_type(tensor: Tensor) -> Option<Dtype> {
    let (kind, size) = match tensor {
        Tensor::BOOL => (Kind::Bool, 1),
        Tensor::I8 => (Kind::Int, 1),
        Tensor::I16 => (Kind::Int, 2),
        Tensor::I32 => (Kind::Int, 4),
        Tensor::I64 => (Kind::Int, 8),
        Tensor::U8 => (Kind::UInt, 1),
        Tensor::U16 => (Kind::UInt, 2),
        Tensor::U32 => (Kind::UInt, 4),
        Tensor::U64 => (Kind::UInt, 8),
        Tensor::F16 => (Kind::Float, 2),
        Tensor::F32 => (Kind::Float, 4),
        Tensor::F64 => (Kind::Float, 8),
        Tensor::C64 => (Kind::Complex, 8),
        Tensor::BF16 => (Kind::Void, 2),
        _ => return None,
    };
    let order = if size == 1 || kind == Kind::Void { ByteOrder::NotApplicable } else { ByteOrder::Little };
    Scalar::new(kind, size, order).map(Dtype::from)
}

/// An array that becomes a tensor.
pub(crate) struct Outgoing<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) header: Header,
    pub(crate) tensor: Tensor,
}

/// Writes arrays as tensors: little-endian and in C order, the widest first, as the crate does.
pub(crate) fn write(mut arrays: Vec<Outgoing<'_>>, out: &mut dyn Write, reading: &Reading) -> Result<()> {
    arrays.sort_by_cached_key(|array| (std::cmp::Reverse(array.tensor), array.entry.key().into_owned()));
    let mut end = 0;
    let infos = arrays.iter().map(|array| {
        let start = end;
        end += array.header.nbytes();
        let (dtype, shape, data_offsets) = (array.tensor, array.header.shape().to_vec(), (start, end));
        (array.entry.key().into_owned(), TensorInfo { dtype, shape, data_offsets })
    });
    let infos = infos.collect();
    let metadata = Metadata::new(None, infos).map_err(|error| Failure::new(Code::Unsupported, error.to_string()))?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() as u64 > LONGEST_HEADER {
        return Err(Failure::new(Code::Unsupported, "too many tensors: the header would be too long to be read"));
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    let progress = Progress::new([end as u64]);
    for array in &arrays {
        write_elements(array, out, reading, &progress)?;
    }
    Ok(out.flush()?)
}

fn write_elements(array: &Outgoing<'_>, out: &mut dyn Write, reading: &Reading, progress: &Progress) -> Result<()> {
    let header = &array.header;
    // Not held since its header was looked at: a decoder would be open for each.
    in_c_order(&array.entry, &array.entry.array()?, reading, |elements| {
        let Some(scalar) = header.dtype().as_scalar() else { return Ok(()) };
        let size = scalar.item_size();
        // The parts of a complex number are swapped each.
        let part = if scalar.kind() == Kind::Complex { size / 2 } else { size };
        let mut block = vec![0; (BLOCK / size * size).min(header.nbytes())];
        let mut left = header.nbytes();
        while left > 0 {
            let count = block.len().min(left);
            let block = &mut block[..count];
            elements.pull(block)?;
            if scalar.byte_order() == ByteOrder::Big {
                block.chunks_exact_mut(part).for_each(<[u8]>::reverse);
            }
            if scalar.kind() == Kind::Bool && block.iter().any(|byte| *byte > 1) {
                let text = format!("{}: a bool that is neither 0 nor 1", array.entry.key());
                return Err(Failure::new(Code::Unsupported, text));
            }
            out.write_all(block)?;
            progress.add(count as u64);
            left -= count;
        }
        Ok(())
    })
}

/// A safetensors file, its tensors in their order.
pub(crate) struct Tensors {
    source: ReadAt,
    metadata: Metadata,
    /// Where the data begins.
    start: u64,
}

/// A tensor that becomes an array.
pub(crate) struct Incoming<'a> {
    pub(crate) key: String,
    source: &'a ReadAt,
    header: Header,
    at: u64,
}

impl Tensors {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let corrupt = |text: String| Failure::new(Code::Unreadable, format!("{}: {text}", path.display()));
        let metadata = path.metadata().map_err(Failure::file(path))?;
        if !metadata.is_file() {
            return Err(corrupt("not a regular file".into()));
        }
        let source = ReadAt::new(File::open(path).map_err(Failure::file(path))?)?;
        let mut length = [0; 8];
        source.read_exact_at(0, &mut length).map_err(Failure::file(path))?;
        let (length, size) = (u64::from_le_bytes(length), source.size());
        if length > LONGEST_HEADER || length + 8 > size {
            return Err(corrupt(format!("not safetensors: its header would have {length} bytes")));
        }
        let mut header = zeroed(length as usize).map_err(|error| corrupt(error.to_string()))?;
        source.read_exact_at(8, &mut header).map_err(Failure::file(path))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| corrupt(format!("safetensors header: {error}")))?;
        let (start, found) = (length + 8, size - length - 8);
        let expected = metadata.data_len() as u64;
        if expected != found {
            return Err(corrupt(format!("the tensors take {expected} bytes, the file has {found} for them")));
        }
        Ok(Tensors { source, metadata, start })
    }

    /// Whether there is text beside the tensors, which an archive has no place for.
    pub(crate) fn has_metadata(&self) -> bool {
        self.metadata.metadata().as_ref().is_some_and(|text| !text.is_empty())
    }

    /// The tensors as arrays; or the reasons of those that cannot be.
    pub(crate) fn arrays(&self, select: &Select) -> Result<Vec<Incoming<'_>>, Vec<String>> {
        let (mut arrays, mut refused) = (Vec::new(), Vec::new());
        for key in self.metadata.offset_keys().into_iter().filter(|key| select.takes(key)) {
            let Some(info) = self.metadata.info(&key) else { continue };
            let header = array_type(info.dtype).map(|dtype| Header::new(dtype, &info.shape, Order::C));
            let (source, at) = (&self.source, self.start + info.data_offsets.0 as u64);
            match header {
                Some(Ok(header)) => arrays.push(Incoming { key, source, header, at }),
                Some(Err(error)) => refused.push(format!("{key}: {error}")),
                None => refused.push(format!("{key}: NumPy has no dtype for {:?}", info.dtype)),
            }
        }
        if refused.is_empty() { Ok(arrays) } else { Err(refused) }
    }
}

impl Incoming<'_> {
    pub(crate) fn nbytes(&self) -> u64 {
        self.header.nbytes() as u64
    }
}

impl Save for Incoming<'_> {
    fn header(&self) -> npzmap::Result<Header> {
        Ok(self.header.clone())
    }

    fn preamble(&self, header: &Header) -> Vec<u8> {
        const VOID: &[u8] = b"'|V2'";
        let mut preamble = header.to_bytes();
        // As ml_dtypes writes bfloat16.
        if let Some(at) = preamble.windows(VOID.len()).position(|text| text == VOID) {
            preamble[at + 1] = b'<';
        }
        preamble
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        let mut block = vec![0; BLOCK.min(self.header.nbytes())];
        let (mut at, mut left) = (self.at, self.header.nbytes());
        // What NumPy and `npz check` would not take for one.
        let is_bool = self.header.dtype().as_scalar().is_some_and(|scalar| scalar.kind() == Kind::Bool);
        while left > 0 {
            let count = block.len().min(left);
            self.source.read_exact_at(at, &mut block[..count])?;
            if is_bool && let Some(index) = block[..count].iter().position(|byte| *byte > 1) {
                let index = self.header.nbytes() - left + index;
                return Err(ErrorKind::InvalidElement { index, element: "bool".into() }.into());
            }
            put(&block[..count])?;
            at += count as u64;
            left -= count;
        }
        Ok(())
    }
}
