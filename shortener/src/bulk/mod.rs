//! Loading a CSV file: all of it, or nothing.
//!
//! ```text
//! request → file on disk → parser (a thread) ─ batches → store (one transaction)
//! ```
//!
//! A file of any size passes through a small, constant amount of memory. The ids in a file are kept, and the next id given
//! out follows the highest one.

mod known;
mod parser;
mod row;
mod upload;

use std::{future::Future, path::Path, sync::Arc};

use tokio::sync::mpsc;

pub use known::Known;
pub use parser::read_file;
pub use row::{BadRow, Row, boolean, id, time};
pub use upload::Upload;

use crate::{
    database::{Db, Tx, failure},
    error::ApiError,
    shutdown::Tasks,
};

/// What a file is a list of.
pub trait Record: Sized + Send + Sync + 'static {
    /// The columns that the header must name, in any order.
    const COLUMNS: &'static [&'static str];

    /// What values are judged by, besides their own form.
    type Rules: Send + 'static;

    /// What a load has found of the things that its records refer to.
    type Found: Default + Send;

    fn parse(row: &Row<'_>, rules: &Self::Rules) -> Result<Self, BadRow>;

    /// The first record, by its place in `batch`, that refers to something that is not there.
    fn find_dangling(
        tx: &mut Tx,
        batch: &[Self],
        found: &mut Self::Found,
    ) -> impl Future<Output = sqlx::Result<Option<Refused>>> + Send;

    fn insert_all(tx: &mut Tx, batch: &[Self]) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Has the next id given out follow the highest one there is.
    fn advance_ids(tx: &mut Tx) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// What became of a file.
#[derive(Debug, schemars::JsonSchema, serde::Serialize)]
pub struct Imported {
    /// How many rows it had.
    pub imported: u64,
}

/// Why a record of a batch cannot be stored.
#[derive(Clone, Debug)]
pub struct Refused {
    pub place: usize,
    pub column: &'static str,
    pub reason: &'static str,
    pub is_conflict: bool,
}

/// Some records, with the line on which each began, and about how much memory they take.
struct Batch<R> {
    records: Vec<R>,
    lines: Vec<u64>,
    bytes: usize,
}

/// What loading takes.
#[derive(Clone, Debug)]
pub struct Loader {
    pub db: Db,
    pub tasks: Tasks,
    /// Where uploads are kept while they are loaded.
    pub folder: Arc<Path>,
}

impl Loader {
    /// Loads the file in `upload`. Returns how many records it had.
    pub async fn load<R: Record>(&self, upload: Upload, rules: R::Rules) -> Result<u64, ApiError> {
        let file = upload.save(&self.folder).await?;
        let (batches, to_store) = mpsc::channel(1);
        let parse = tokio::task::spawn_blocking(move || {
            parser::parse::<R>(file, &rules, parser::into_channel(batches))
        });
        // A task of its own: a request that is given up half way must not leave a connection in the middle of a statement.
        let store = self.tasks.spawn(store(self.db.clone(), to_store));
        let parsed = parse.await.map_err(died)?;
        // Without a commit, nothing stays.
        let mut tx = store.await.map_err(died)??;
        let records = parsed?;
        R::advance_ids(&mut tx).await?;
        tx.commit().await?;
        Ok(records)
    }
}

fn died(error: tokio::task::JoinError) -> ApiError {
    ApiError::Internal(error.into())
}

/// Stores batches until there are no more, in a transaction that is not committed yet.
async fn store<R: Record>(db: Db, mut batches: mpsc::Receiver<Batch<R>>) -> Result<Tx, ApiError> {
    let mut tx = db.begin().await?;
    // One load at a time: two with rows in common would wait for each other.
    tx.lock_bulk_loads().await?;
    let mut found = R::Found::default();
    while let Some(batch) = batches.recv().await {
        store_batch(&mut tx, &batch, &mut found).await?;
    }
    Ok(tx)
}

async fn store_batch<R: Record>(
    tx: &mut Tx,
    batch: &Batch<R>,
    found: &mut R::Found,
) -> Result<(), ApiError> {
    let refused = match R::find_dangling(tx, &batch.records, found).await? {
        Some(refused) => Some(refused),
        None => insert(tx, &batch.records).await?,
    };
    match refused {
        None => Ok(()),
        Some(refused) => Err(BadRow {
            line: batch.lines[refused.place],
            column: Some(refused.column),
            reason: refused.reason.into(),
            is_conflict: refused.is_conflict,
        }
        .into()),
    }
}

/// Inserts a batch. If one of its records is taken, finds out which by inserting them one by one.
async fn insert<R: Record>(tx: &mut Tx, records: &[R]) -> Result<Option<Refused>, ApiError> {
    tx.set_savepoint().await?;
    match R::insert_all(tx, records).await {
        Ok(()) => {
            tx.release_savepoint().await?;
            return Ok(None);
        }
        Err(error) if failure::taken(&error).is_none() => return Err(error.into()),
        Err(_) => tx.roll_back_to_savepoint().await?,
    }
    for (place, record) in records.iter().enumerate() {
        if let Err(error) = R::insert_all(tx, std::slice::from_ref(record)).await {
            return match failure::taken(&error) {
                Some(taken) => Ok(Some(Refused {
                    place,
                    column: taken.column(),
                    reason: "is taken already",
                    is_conflict: true,
                })),
                None => Err(error.into()),
            };
        }
    }
    Err(anyhow::anyhow!("a batch was refused, but none of its records").into())
}
