//! Words that a session's row keeps as numbers: in SQLite 0 and 1 take no byte, and others one.
//!
//! A number that was given stays given: rows have it.

use std::net::{Ipv4Addr, Ipv6Addr};

use doorward_core::session::{Assurance, Carrier, Method};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// A carrier, as it is kept.
pub(super) struct CarrierNumber(pub(super) Carrier);

/// How a session's owner proved themselves: one bit for each method.
pub(super) struct MethodBits(pub(super) Vec<Method>);

/// How sure we are of a session's owner: the number in the level's name.
pub(super) struct AssuranceNumber(pub(super) Assurance);

/// Where a session was opened from: the bytes of an address, or the text that is none.
pub(super) struct Address(pub(super) String);

impl ToSql for CarrierNumber {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(number(match self.0 {
            Carrier::Cookie => 0,
            Carrier::Token => 1,
        }))
    }
}

impl FromSql for CarrierNumber {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self(Carrier::Cookie)),
            1 => Ok(Self(Carrier::Token)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

fn bit(method: Method) -> i64 {
    match method {
        Method::Password => 1,
    }
}

impl ToSql for MethodBits {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(number(self.0.iter().fold(0, |bits, method| bits | bit(*method))))
    }
}

impl FromSql for MethodBits {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bits = value.as_i64()?;
        let (mut methods, mut known) = (Vec::new(), 0);
        for method in Method::ALL {
            known |= bit(method);
            if bits & bit(method) != 0 {
                methods.push(method);
            }
        }
        if bits & !known != 0 {
            return Err(FromSqlError::OutOfRange(bits));
        }
        Ok(Self(methods))
    }
}

impl ToSql for AssuranceNumber {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(number(match self.0 {
            Assurance::Aal1 => 1,
            Assurance::Aal2 => 2,
            Assurance::Aal3 => 3,
        }))
    }
}

impl FromSql for AssuranceNumber {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            1 => Ok(Self(Assurance::Aal1)),
            2 => Ok(Self(Assurance::Aal2)),
            3 => Ok(Self(Assurance::Aal3)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

impl ToSql for Address {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match packed(&self.0) {
            Some(bytes) => ToSqlOutput::Owned(Value::Blob(bytes)),
            None => ToSqlOutput::from(self.0.as_str()),
        })
    }
}

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if let ValueRef::Text(_) = value {
            return value.as_str().map(|text| Self(text.to_owned()));
        }
        let bytes = value.as_blob()?;
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
            return Ok(Self(Ipv4Addr::from(bytes).to_string()));
        }
        let blob_size = bytes.len();
        let wrong = |_| FromSqlError::InvalidBlobSize { expected_size: 16, blob_size };
        let bytes = <[u8; 16]>::try_from(bytes).map_err(wrong)?;
        Ok(Self(Ipv6Addr::from(bytes).to_string()))
    }
}

/// The bytes of an address, if they come back as this very text.
fn packed(text: &str) -> Option<Vec<u8>> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return (address.to_string() == text).then(|| address.octets().to_vec());
    }
    let address: Ipv6Addr = text.parse().ok()?;
    (address.to_string() == text).then(|| address.octets().to_vec())
}

fn number(number: i64) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Value::Integer(number))
}
