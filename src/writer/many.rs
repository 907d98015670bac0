//! Many arrays at once.

use super::NpzWriter;
use super::options::MemberOptions;
use super::sink::Sink;
use crate::error::Result;
use crate::member::Member;
use crate::npy::save::Save;
use crate::source::Source;

impl<S: Sink> NpzWriter<S> {
    /// Adds several arrays, in the given order. With the feature `rayon`, those that are deflated are compressed side by
    /// side; the archive is the same, byte for byte, as when they are [added](NpzWriter::add_with) one by one.
    ///
    /// Compressed members wait in memory for their turn: one for each thread, or two if they are small and there are several threads.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add). The arrays before the one that fails are in the archive.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use npzmap::{MemberOptions, Npz, NpzWriter, Save};
    ///
    /// let (features, labels) = (Array2::<f32>::zeros((100, 100)), array![0_i64, 1, 1]);
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_many([("features", &features as &dyn Save), ("labels", &labels)], MemberOptions::new().deflate(6))?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.keys().collect::<Vec<_>>(), ["features", "labels"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_many<'a, K: AsRef<str>>(
        &mut self,
        arrays: impl IntoIterator<Item = (K, &'a dyn Save)>,
        options: MemberOptions,
    ) -> Result<()> {
        let mut arrays = arrays.into_iter();
        #[cfg(feature = "rayon")]
        if let Some(coding @ super::options::Coding::Deflate { .. }) = options.coding {
            return self.deflate_many(arrays, coding.check()?);
        }
        arrays.try_for_each(|(key, array)| self.add_with(key.as_ref(), array, options))
    }

    /// Copies several members of other archives, in the given order. With the feature `rayon`, those that are to be inflated,
    /// deflated, or decoded for their CRC-32 are so side by side; the archive is the same, byte for byte, as when they are
    /// [copied](NpzWriter::copy_with) one by one.
    ///
    /// What is inflated or compressed waits in memory for its turn: one member for one thread, or two for each of several, of 64 MiB at most. What is
    /// larger, or is inflated to more than [`Limits`](crate::Limits) allow in memory, goes through a block, one after the
    /// other.
    ///
    /// Returns the writer's [position](NpzWriter::position) after each.
    ///
    /// # Errors
    ///
    /// As [`copy`](NpzWriter::copy). The members before the one that fails are in the archive.
    ///
    /// ```
    /// use npzmap::{MemberOptions, Npz, NpzWriter};
    ///
    /// let compressed = Npz::open("tests/data/model-batch.npz")?;
    /// let mut w = NpzWriter::stream(Vec::new());
    /// let ends = w.copy_many(&compressed, MemberOptions::new().store())?;
    /// assert_eq!((ends.len(), ends.last()), (3, Some(&w.position())));
    /// let stored = Npz::new(w.finish()?)?;
    /// assert_eq!(stored.view::<f32, ndarray::Ix2>("features")?.sum(), 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn copy_many<'a, R: Source + Sync + 'a>(
        &mut self,
        members: impl IntoIterator<Item = Member<'a, R>>,
        options: MemberOptions,
    ) -> Result<Vec<u64>> {
        let members = members.into_iter();
        #[cfg(feature = "rayon")]
        if options.check().is_ok() {
            return self.copy_side_by_side(members, options);
        }
        let copied = members.map(|member| self.copy_with(&member, options).map(|()| self.position()));
        copied.collect()
    }
}

#[cfg(feature = "rayon")]
mod side_by_side {
    use std::iter::Peekable;

    use super::*;
    use crate::context::SUFFIX;
    use crate::threads;
    use crate::writer::body::Body;
    use crate::writer::copy::Made;
    use crate::writer::member::{IN_MEMORY, deflate_in_memory};
    use crate::writer::options::Coding;

    impl<S: Sink> NpzWriter<S> {
        pub(super) fn deflate_many<'a, K: AsRef<str>>(
            &mut self,
            arrays: impl Iterator<Item = (K, &'a dyn Save)>,
            coding: Coding,
        ) -> Result<()> {
            let threads = threads::count();
            let mut arrays = arrays.peekable();
            let size = |(_, array): &(K, &dyn Save)| array.header().map_or(0, |header| header.nbytes() as u64);
            while arrays.peek().is_some() {
                let (keys, some): (Vec<K>, Vec<&dyn Save>) = wave(&mut arrays, threads, size).into_iter().unzip();
                let deflate = |array: &&dyn Save| match coding {
                    Coding::Deflate { level, if_smaller } => {
                        deflate_in_memory(&Body::array(*array)?, level, if_smaller).map(Some)
                    }
                    Coding::Store => Ok(None),
                };
                let deflated: Vec<Result<_>> = threads::map(some.iter().collect(), deflate);
                for ((key, array), deflated) in keys.iter().zip(some).zip(deflated) {
                    self.named(key.as_ref(), SUFFIX, |writer, name| match deflated? {
                        Some(Some((data, sizes))) => writer.write_deflated(name, &data, sizes),
                        Some(None) => writer.store(name, &Body::array(array)?),
                        None => writer.write(name, &Body::array(array)?, coding),
                    })?;
                }
            }
            Ok(())
        }

        pub(super) fn copy_side_by_side<'a, R: Source + Sync + 'a>(
            &mut self,
            members: impl Iterator<Item = Member<'a, R>>,
            options: MemberOptions,
        ) -> Result<Vec<u64>> {
            let threads = threads::count();
            let mut ends = Vec::new();
            let mut members = members.peekable();
            while members.peek().is_some() {
                let some = wave(&mut members, threads, Member::size);
                let made = threads::map(some.iter().collect(), |member| Made::of(member, options));
                for (member, made) in some.iter().zip(made) {
                    self.copy_made(member, options, made)?;
                    ends.push(self.position());
                }
            }
            Ok(ends)
        }
    }

    /// As many as there are threads; twice as many while they are small, so that a short one does not leave its thread idle.
    /// One alone for one thread, which gains nothing by what it holds.
    fn wave<I>(items: &mut Peekable<impl Iterator<Item = I>>, threads: usize, size: impl Fn(&I) -> u64) -> Vec<I> {
        let (mut wave, mut bytes) = (Vec::new(), 0_u64);
        let most = if threads < 2 { 1 } else { 2 * threads };
        let fits = |count: usize, bytes: u64| count < threads || count < most && bytes < IN_MEMORY;
        while let Some(item) = items.next_if(|_| fits(wave.len(), bytes)) {
            bytes = bytes.saturating_add(size(&item));
            wave.push(item);
        }
        wave
    }
}
