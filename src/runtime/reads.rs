//! Reads of the store beside the actors: as many at once as the store has connections.
//!
//! A thread that waits for a connection does nothing but take room, and threads that were wanted
//! once stay for long. So who is too many waits without one.

use super::threads::{self, Failed};
use crate::store::{Reader, StoreError};
use futures_util::future::Either;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Begins reads.
#[derive(Clone)]
pub(crate) struct Reads {
    reader: Reader,
    permits: Arc<Semaphore>,
}

impl Reads {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            permits: Arc::new(Semaphore::new(Reader::CONNECTIONS_MAX as usize)),
        }
    }

    /// Reads from the store. It is begun when there is room, and not when it is awaited: a reader
    /// of a stream who does not poll must not keep others waiting.
    ///
    /// # Errors
    /// The outer one when the query panicked.
    pub(crate) fn begin<T, Q>(
        &self,
        query: Q,
    ) -> impl Future<Output = Result<Result<T, StoreError>, Failed>> + 'static + use<T, Q>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let begun = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Either::Left(self.on_thread(Some(permit), query)),
            Err(_) => {
                let reads = self.clone();
                Either::Right(tokio::spawn(async move {
                    // Nobody closes it.
                    let permit = Arc::clone(&reads.permits).acquire_owned().await.ok();
                    reads.on_thread(permit, query).await
                }))
            }
        };
        async {
            match begun {
                Either::Left(read) => read.await,
                Either::Right(read) => read.await.unwrap_or(Err(Failed::NotDone)),
            }
        }
    }

    fn on_thread<T, Q>(
        &self,
        permit: Option<OwnedSemaphorePermit>,
        query: Q,
    ) -> impl Future<Output = Result<T, Failed>> + Send + 'static + use<T, Q>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> T + Send + 'static,
    {
        let reader = self.reader.clone();
        threads::run(move || {
            let _until_then = permit;
            query(&reader)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{self, Location};
    use std::{sync::mpsc, time::Duration};

    #[tokio::test]
    async fn as_many_at_once_as_there_are_connections_and_all_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        let (_writer, reader) = store::open(&location, tokio::sync::mpsc::channel(1).0).unwrap();
        let reads = Reads::new(reader);
        let most = Reader::CONNECTIONS_MAX as usize;
        let (begun, seen) = mpsc::channel();
        let wait = Duration::from_secs(90);
        let (gates, waits): (Vec<_>, Vec<_>) = (0..2 * most).map(|_| mpsc::channel::<()>()).unzip();
        let all: Vec<_> = waits
            .into_iter()
            .enumerate()
            .map(|(at, wait)| {
                let begun = begun.clone();
                reads.begin(move |_| {
                    begun.send(at).unwrap();
                    wait.recv().unwrap();
                    Ok(at)
                })
            })
            .collect();
        // None of them was awaited yet.
        let mut first: Vec<usize> = (0..most)
            .map(|_| seen.recv_timeout(wait).unwrap())
            .collect();
        first.sort_unstable();
        assert_eq!(first, (0..most).collect::<Vec<_>>());
        assert!(seen.try_recv().is_err(), "one too many");
        gates.iter().for_each(|gate| gate.send(()).unwrap());
        // The others begin although still nobody awaits them.
        let others = async {
            let mut count = 0;
            while count < most {
                tokio::task::yield_now().await;
                count += seen.try_iter().count();
            }
        };
        tokio::time::timeout(wait, others).await.unwrap();
        for (at, read) in all.into_iter().enumerate() {
            assert_eq!(read.await.unwrap().unwrap(), at);
        }
    }
}
