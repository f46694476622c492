//! A small database of places in MaxMind's format, written here: nothing is fetched.
//!
//! The format is MaxMind DB 2.0: a tree of the bits of addresses, what is known of each network, and
//! a word about the whole at the end. IPv4 is the part of the tree below 96 zeros.

use std::net::IpAddr;
use std::path::Path;

use doorward::places::PlaceDatabase;

use super::folder::Folder;

/// A place in a database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// An address, which is a network of its own.
    pub(crate) ip: &'static str,
    /// City and country.
    pub(crate) names: [Option<&'static str>; 2],
    /// The continent's code.
    pub(crate) continent: &'static str,
    /// Latitude and longitude.
    pub(crate) point: Option<(f64, f64)>,
}

pub(crate) const LYON: &str = "192.0.2.1";
pub(crate) const LYON_TOO: &str = "192.0.2.2";
pub(crate) const PARIS: &str = "192.0.2.3";
pub(crate) const MOSCOW: &str = "192.0.2.4";
pub(crate) const SYDNEY: &str = "198.51.100.1";
pub(crate) const SYDNEY_V6: &str = "2001:db8::5";
/// An address that the database does not know.
pub(crate) const NOWHERE: &str = "203.0.113.250";

const fn city(
    ip: &'static str,
    names: [&'static str; 2],
    continent: &'static str,
    point: (f64, f64),
) -> Row {
    Row { ip, names: [Some(names[0]), Some(names[1])], continent, point: Some(point) }
}

const ROWS: [Row; 6] = [
    city(LYON, ["Lyon", "France"], "EU", (45.76, 4.84)),
    city(LYON_TOO, ["Lyon", "France"], "EU", (45.76, 4.84)),
    city(PARIS, ["Paris", "France"], "EU", (48.86, 2.35)),
    city(MOSCOW, ["Moscow", "Russia"], "EU", (55.75, 37.62)),
    city(SYDNEY, ["Sydney", "Australia"], "OC", (-33.87, 151.21)),
    city(SYDNEY_V6, ["Sydney", "Australia"], "OC", (-33.87, 151.21)),
];

/// A database of a handful of cities.
pub(crate) fn places() -> PlaceDatabase {
    let folder = Folder::fresh();
    let path = folder.join("places.mmdb");
    write(&path, "Test-City", &ROWS.map(|row| (row.ip, record(&row))));
    PlaceDatabase::open(&path).unwrap()
}

/// Writes the same database into a file.
pub(crate) fn write_places(path: &Path) {
    write(path, "Test-City", &ROWS.map(|row| (row.ip, record(&row))));
}

/// Writes a database of something else.
pub(crate) fn write_others(path: &Path) {
    let mut record = vec![head(7, 1)];
    text(&mut record, "autonomous_system_number");
    record.extend([head(6, 2), 0xFC, 0x00]);
    write(path, "Test-ASN", &[(LYON, record)]);
}

/// Where a branch of the tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    Record(usize),
}

fn write(path: &Path, kind: &str, rows: &[(&str, Vec<u8>)]) {
    let (mut tree, mut data) = (vec![[Branch::Nowhere; 2]], Vec::new());
    for (ip, record) in rows {
        let bits = match ip.parse().unwrap() {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => ip.into(),
        };
        let mut node = 0;
        for depth in (1..128).rev() {
            let side = usize::from(bits >> depth & 1 == 1);
            node = match tree[node][side] {
                Branch::Node(next) => next,
                Branch::Nowhere | Branch::Record(_) => {
                    tree.push([Branch::Nowhere; 2]);
                    tree[node][side] = Branch::Node(tree.len() - 1);
                    tree.len() - 1
                }
            };
        }
        tree[node][usize::from(bits & 1 == 1)] = Branch::Record(data.len());
        data.extend_from_slice(record);
    }
    let mut bytes = Vec::new();
    for branch in tree.iter().flatten() {
        let number = match branch {
            Branch::Node(node) => *node,
            Branch::Nowhere => tree.len(),
            Branch::Record(offset) => tree.len() + 16 + offset,
        };
        bytes.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(b"\xAB\xCD\xEFMaxMind.com");
    bytes.extend_from_slice(&metadata(kind, tree.len()));
    std::fs::write(path, bytes).unwrap();
}

fn metadata(kind: &str, node_count: usize) -> Vec<u8> {
    let mut bytes = vec![head(7, 9)];
    let word = |bytes: &mut Vec<u8>, name: &str, value: u16| {
        text(bytes, name);
        bytes.push(head(5, 2));
        bytes.extend_from_slice(&value.to_be_bytes());
    };
    word(&mut bytes, "binary_format_major_version", 2);
    word(&mut bytes, "binary_format_minor_version", 0);
    word(&mut bytes, "ip_version", 6);
    word(&mut bytes, "record_size", 24);
    text(&mut bytes, "node_count");
    bytes.push(head(6, 4));
    bytes.extend_from_slice(&u32::try_from(node_count).unwrap().to_be_bytes());
    text(&mut bytes, "database_type");
    text(&mut bytes, kind);
    // Types over 7 have a byte of their own: 9 a long number, 11 a list.
    text(&mut bytes, "build_epoch");
    bytes.extend_from_slice(&[1, 2, 1]);
    text(&mut bytes, "languages");
    bytes.extend_from_slice(&[1, 4]);
    text(&mut bytes, "en");
    text(&mut bytes, "description");
    bytes.push(head(7, 0));
    bytes
}

/// What is known of a network.
fn record(row: &Row) -> Vec<u8> {
    let [city, country] = row.names;
    let count = 1 + [city, country].iter().flatten().count() + usize::from(row.point.is_some());
    let mut bytes = vec![head(7, u8::try_from(count).unwrap())];
    for (name, value) in [("city", city), ("country", country)] {
        let Some(value) = value else { continue };
        text(&mut bytes, name);
        bytes.push(head(7, 1));
        text(&mut bytes, "names");
        bytes.push(head(7, 1));
        text(&mut bytes, "en");
        text(&mut bytes, value);
    }
    text(&mut bytes, "continent");
    bytes.push(head(7, 1));
    text(&mut bytes, "code");
    text(&mut bytes, row.continent);
    if let Some((latitude, longitude)) = row.point {
        text(&mut bytes, "location");
        bytes.push(head(7, 2));
        for (name, value) in [("latitude", latitude), ("longitude", longitude)] {
            text(&mut bytes, name);
            bytes.push(head(3, 8));
            bytes.extend_from_slice(&value.to_be_bytes());
        }
    }
    bytes
}

/// A short text: at most 28 bytes.
fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 29, "{text}");
    bytes.push(head(2, length));
    bytes.extend_from_slice(text.as_bytes());
}

/// What stands before a value: its type and its size.
const fn head(kind: u8, size: u8) -> u8 {
    kind << 5 | size
}
