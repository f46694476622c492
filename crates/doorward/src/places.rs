//! A database of places: a file in MaxMind's format that the operator brings.
//!
//! It is read whole into memory at the start. Doorward brings none and fetches none.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Once;

use anyhow::anyhow;
use doorward_core::place::{Continent, Place, Point};
use doorward_server::places::Places;
use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

/// How many of its networks a database may begin with before one must have a place.
const LOOK_MAX: usize = 10_000;

/// A database of places.
pub struct PlaceDatabase {
    reader: Reader<Vec<u8>>,
    complaint: Once,
}

/// What we read of a network: the shape that MaxMind's databases of cities and countries have, and
/// those that take their place. Everything may be missing.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    city: Option<Named<'a>>,
    country: Option<Named<'a>>,
    continent: Option<Named<'a>>,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Named<'a> {
    code: Option<&'a str>,
    #[serde(borrow)]
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_radius: Option<u16>,
}

impl PlaceDatabase {
    /// Opens a database, and makes sure that there are places in it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        const ADVICE: &str = "\nTry: [places] database = a file of cities or countries in MaxMind's \
            format (.mmdb), or leave it out";
        let refused = |why: &dyn std::fmt::Display| {
            anyhow!("the database of places {}: {why}{ADVICE}", path.display())
        };
        let bytes = std::fs::read(path).map_err(|error| refused(&error))?;
        let reader = Reader::from_source(bytes).map_err(|error| refused(&error))?;
        let database = Self { reader, complaint: Once::new() };
        if !database.has_places().map_err(|error| refused(&error))? {
            let kind = database.reader.metadata().database_type.clone();
            return Err(refused(&format!("no place was found in it; it says it is a {kind}")));
        }
        Ok(database)
    }

    /// Whether one of the first networks has a place: a database of something else opens as well.
    fn has_places(&self) -> Result<bool, MaxMindDbError> {
        for network in self.reader.networks(maxminddb::WithinOptions::default())?.take(LOOK_MAX) {
            if network?.decode::<Record<'_>>().ok().flatten().and_then(|it| it.place()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn find(&self, ip: IpAddr) -> Result<Option<Place>, MaxMindDbError> {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let record = self.reader.lookup(ip)?.decode::<Record<'_>>()?;
        Ok(record.and_then(|record| record.place()))
    }
}

impl Places for PlaceDatabase {
    fn place_of(&self, ip: IpAddr) -> Option<Place> {
        self.find(ip).unwrap_or_else(|error| {
            // Once: whoever comes from there would fill the log with it.
            self.complaint.call_once(|| {
                tracing::error!(%ip, %error, "the database of places is damaged");
            });
            None
        })
    }
}

impl Record<'_> {
    fn place(&self) -> Option<Place> {
        let named =
            |named: &Option<Named<'_>>| named.as_ref()?.names.as_ref()?.en.map(str::to_owned);
        let (city, country) = (named(&self.city), named(&self.country));
        let continent = self.continent.as_ref().and_then(|it| it.code);
        let continent = continent.and_then(Continent::from_code);
        let point = self.location.as_ref().and_then(Location::point);
        Place::new(city.as_deref(), country.as_deref(), continent, point)
    }
}

impl Location {
    fn point(&self) -> Option<Point> {
        let within = self.accuracy_radius.unwrap_or(0);
        Point::new(self.latitude?, self.longitude?, within.into())
    }
}
