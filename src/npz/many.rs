//! Many arrays at once.

use ndarray::{Array, Dimension};

use super::Npz;
#[cfg(doc)]
use crate::container::directory::Duplicates;
use crate::error::{ErrorKind, Result};
use crate::member::Member;
use crate::npy::any::AnyArray;
use crate::npy::element::Element;
use crate::options::Verify;
use crate::source::Source;

/// Many arrays at once; side by side with the feature `rayon`.
impl<S: Source + Sync> Npz<S> {
    /// These arrays, copied, in the order of the keys. One that fails fails all.
    ///
    /// # Errors
    ///
    /// Of the first key that cannot be read, as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::IxDyn;
    ///
    /// let npz = Npz::open("tests/data/kinds-deflated.npz")?;
    /// let arrays = npz.read_many::<i32, IxDyn>(&["i4-le-c", "i4-be-f"])?;
    /// assert_eq!(arrays[0], arrays[1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_many<T: Element, D: Dimension>(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Array<T, D>>> {
        let read = |key: &_| self.read(AsRef::<str>::as_ref(key));
        #[cfg(feature = "rayon")]
        {
            // Not collected at once: the error would be that of whichever fails first.
            crate::threads::map(keys.iter().collect(), read).into_iter().collect()
        }
        #[cfg(not(feature = "rayon"))]
        keys.iter().map(read).collect()
    }

    /// All arrays, copied, as whatever they are, with their keys in the order of the directory. Members that are no
    /// arrays are left out, once their CRC-32 has shown that they are not damaged ones; and so are, with
    /// [`Duplicates::Last`], those whose name a later one has.
    ///
    /// # Errors
    ///
    /// Of the first member that cannot be read.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let all = npz.read_all()?;
    /// assert_eq!(all.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["features", "labels", "sample_ids"]);
    /// assert!(matches!(all[2].1, AnyArray::Str(_)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_all(&self) -> Result<Vec<(String, AnyArray)>> {
        let verify = self.archive.options.verify;
        let read = |member: Member<'_, S>| match member.array().and_then(|array| array.read_any()) {
            Ok(array) => Some(Ok((member.key().into_owned(), array))),
            Err(error) if self.is_superseded(&error) => None,
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => match verify {
                Verify::Never => None,
                _ => member.verify().err().map(Err),
            },
            Err(error) => Some(Err(error)),
        };
        #[cfg(feature = "rayon")]
        {
            crate::threads::map(self.members().collect(), read).into_iter().flatten().collect()
        }
        #[cfg(not(feature = "rayon"))]
        self.members().filter_map(read).collect()
    }

    /// Reads every member and holds it against its CRC-32; but with [`Duplicates::Last`](crate::Duplicates::Last) those
    /// whose name a later one has, as NumPy never reads them.
    ///
    /// # Errors
    ///
    /// The first that is wrong. To see all of them, ask each of [`members`](Npz::members).
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz};
    ///
    /// Npz::open("tests/data/model-batch.npz")?.verify()?;
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[190] ^= 1; // in the first element of `features`
    /// let error = Npz::new(bytes)?.verify().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Checksum { .. }));
    /// assert_eq!(error.member(), Some("features"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn verify(&self) -> Result<()> {
        let verify = |member: Member<'_, S>| match member.verify() {
            Err(error) if self.is_superseded(&error) => Ok(()),
            verified => verified,
        };
        #[cfg(feature = "rayon")]
        {
            crate::threads::map(self.members().collect(), verify).into_iter().collect()
        }
        #[cfg(not(feature = "rayon"))]
        self.members().try_for_each(verify)
    }
}
