//! Values in and out of rows. What a row holds was written by us, and is read as if it was not.

use bytes::BytesMut;
use doorward_core::account::Epoch;
use doorward_wire::{SecretDigest, UnixTime};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::fault::Fault;
use super::link::Link;
use crate::act::StoreFailed;

/// The values that a statement is used with.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Values for a statement, each of its own type.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &(dyn tokio_postgres::types::ToSql + Sync)),*]
    };
}
pub(super) use params;

/// Bytes of a known number: an id, a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> ToSql for Bytes<N> {
    fn to_sql(
        &self,
        _kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }

    to_sql_checked!();
}

impl<'row, const N: usize> FromSql<'row> for Bytes<N> {
    fn from_sql(
        _kind: &Type,
        raw: &'row [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }
}

/// The bytes of an id. They sort as the ids do.
pub(super) fn bytes(id: u128) -> Bytes<16> {
    Bytes(id.to_be_bytes())
}

/// A time, a count or a version as the database keeps it. One beyond its range (292 thousand million
/// years) stops there.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit on a number of rows.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What sorts before every id that comes after `after`, or before all.
pub(super) fn beyond(after: Option<u128>) -> Vec<u8> {
    after.map_or(Vec::new(), |id| bytes(id).0.to_vec())
}

/// What sorts after every id that comes before `before`, or after all: it is longer than any.
pub(super) fn below(before: Option<u128>) -> Vec<u8> {
    before.map_or(vec![0xFF; 17], |id| bytes(id).0.to_vec())
}

/// The columns of a row, read from left to right.
pub(super) struct Columns<'row> {
    row: &'row Row,
    next: usize,
}

impl<'row> Columns<'row> {
    pub(super) fn of(row: &'row Row) -> Self {
        Self { row, next: 0 }
    }

    /// The next column as it is.
    pub(super) fn take<T: FromSql<'row>>(&mut self) -> Result<T, StoreFailed> {
        let value = self.row.try_get(self.next);
        self.next += 1;
        value.map_err(|_| self.unreadable())
    }

    /// The next column, turned into what it stands for.
    pub(super) fn read<K: FromSql<'row>, T>(
        &mut self,
        read: impl FnOnce(K) -> Option<T>,
    ) -> Result<T, StoreFailed> {
        let kept = self.take()?;
        read(kept).ok_or_else(|| self.unreadable())
    }

    /// The next column, turned into what it stands for, if there is something.
    pub(super) fn maybe<K: FromSql<'row>, T>(
        &mut self,
        read: impl FnOnce(K) -> Option<T>,
    ) -> Result<Option<T>, StoreFailed> {
        match self.take::<Option<K>>()? {
            None => Ok(None),
            Some(kept) => read(kept).map(Some).ok_or_else(|| self.unreadable()),
        }
    }

    /// The next column: bytes of a known number.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreFailed> {
        self.take::<Bytes<N>>().map(|bytes| bytes.0)
    }

    /// The next column: bytes of a known number, if there are any.
    pub(super) fn maybe_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, StoreFailed> {
        Ok(self.take::<Option<Bytes<N>>>()?.map(|bytes| bytes.0))
    }

    /// The next column: the bits of an id.
    pub(super) fn id(&mut self) -> Result<u128, StoreFailed> {
        self.array().map(u128::from_be_bytes)
    }

    /// The next column: the bits of an id, if there is one.
    pub(super) fn maybe_id(&mut self) -> Result<Option<u128>, StoreFailed> {
        Ok(self.maybe_array()?.map(u128::from_be_bytes))
    }

    /// The next column: a digest.
    pub(super) fn digest(&mut self) -> Result<SecretDigest, StoreFailed> {
        self.array().map(SecretDigest)
    }

    /// The next column: a number that is not negative.
    pub(super) fn count(&mut self) -> Result<u64, StoreFailed> {
        self.read(|number: i64| u64::try_from(number).ok())
    }

    /// The next column: a number of four bytes that is not negative.
    pub(super) fn number(&mut self) -> Result<u32, StoreFailed> {
        self.read(|number: i64| u32::try_from(number).ok())
    }

    /// The next column: a time.
    pub(super) fn time(&mut self) -> Result<UnixTime, StoreFailed> {
        self.count().map(UnixTime)
    }

    /// The next column: a time, if there is one.
    pub(super) fn maybe_time(&mut self) -> Result<Option<UnixTime>, StoreFailed> {
        self.maybe(|at: i64| u64::try_from(at).ok().map(UnixTime))
    }

    /// The next column: an epoch.
    pub(super) fn epoch(&mut self) -> Result<Epoch, StoreFailed> {
        self.number().map(Epoch)
    }

    /// The next column: text that `read` understands.
    pub(super) fn text<T>(
        &mut self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreFailed> {
        self.read(read)
    }

    /// Whether the next column holds nothing. Reads no further.
    pub(super) fn is_null(&self) -> bool {
        self.row.try_get::<_, Option<Anything>>(self.next).is_ok_and(|value| value.is_none())
    }

    /// The failure of having read the column before.
    fn unreadable(&self) -> StoreFailed {
        let column = self.row.columns().get(self.next - 1);
        Fault::Unreadable(column.map_or("?", |column| column.name()).to_owned()).into()
    }
}

/// Reads the one column of a row: a number that is not negative.
pub(super) fn a_count(row: &mut Columns<'_>) -> Result<u64, StoreFailed> {
    row.count()
}

/// Reads the one column of a row: bytes of a known number.
pub(super) fn an_array<const N: usize>(row: &mut Columns<'_>) -> Result<[u8; N], StoreFailed> {
    row.array()
}

/// A value of any type, of which only matters that it is there.
struct Anything;

impl<'row> FromSql<'row> for Anything {
    fn from_sql(
        _kind: &Type,
        _raw: &'row [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }
}

/// The first row of a query, read.
pub(super) async fn first<T>(
    db: &Link,
    sql: &'static str,
    params: Params<'_>,
    read: impl FnOnce(&mut Columns<'_>) -> Result<T, StoreFailed>,
) -> Result<Option<T>, StoreFailed> {
    let rows = db.query(sql, params).await?;
    rows.first().map(|row| read(&mut Columns::of(row))).transpose()
}

/// The one row of a query that always has one, read.
pub(super) async fn only<T>(
    db: &Link,
    sql: &'static str,
    params: Params<'_>,
    read: impl FnOnce(&mut Columns<'_>) -> Result<T, StoreFailed>,
) -> Result<T, StoreFailed> {
    let found = first(db, sql, params, read).await?;
    found.ok_or_else(|| Fault::Unreadable("?".to_owned()).into())
}

/// Whether a query finds anything.
pub(super) async fn exists(
    db: &Link,
    sql: &'static str,
    params: Params<'_>,
) -> Result<bool, StoreFailed> {
    Ok(!db.query(sql, params).await?.is_empty())
}

/// All rows of a query, read.
pub(super) async fn all<T>(
    db: &Link,
    sql: &'static str,
    params: Params<'_>,
    read: impl Fn(&mut Columns<'_>) -> Result<T, StoreFailed>,
) -> Result<Vec<T>, StoreFailed> {
    let rows = db.query(sql, params).await?;
    rows.iter().map(|row| read(&mut Columns::of(row))).collect()
}

/// Changes rows, and says how many.
pub(super) async fn change(
    db: &Link,
    sql: &'static str,
    params: Params<'_>,
) -> Result<u64, tokio_postgres::Error> {
    db.change(sql, params).await
}
