//! A place: where an address seems to be.
//!
//! It comes from a database that the operator brings, and is a guess: right about the country almost
//! always, about the city often. What goes through a VPN or a satellite is where those come out.

/// The most characters of a name that are kept.
const NAME_MAX: usize = 100;

/// The mean radius of the earth, in kilometres.
const EARTH: f64 = 6371.0088;

/// Half the way around the earth: nothing is further away, in kilometres.
const FARTHEST: f64 = 20_037.5;

/// Where an address seems to be, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    city: Option<String>,
    country: Option<String>,
    continent: Option<Continent>,
    point: Option<Point>,
}

/// One of the seven continents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continent {
    /// Africa.
    Africa,
    /// Antarctica.
    Antarctica,
    /// Asia.
    Asia,
    /// Europe.
    Europe,
    /// North America.
    NorthAmerica,
    /// Oceania.
    Oceania,
    /// South America.
    SouthAmerica,
}

/// A point on the earth, and how far from it the truth may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    latitude: f64,
    longitude: f64,
    within: f64,
}

impl Place {
    /// A place of what is known of it, or `None` if that is nothing.
    ///
    /// ```
    /// use doorward_core::place::{Continent, Place};
    /// let lyon = Place::new(Some("Lyon"), Some("France"), Some(Continent::Europe), None).unwrap();
    /// assert_eq!(lyon.words().as_deref(), Some("Lyon, France"));
    /// assert_eq!(Place::new(Some(" "), None, None, None), None);
    /// ```
    #[must_use]
    pub fn new(
        city: Option<&str>,
        country: Option<&str>,
        continent: Option<Continent>,
        point: Option<Point>,
    ) -> Option<Self> {
        let (city, country) = (city.and_then(name), country.and_then(name));
        let place = Self { city, country, continent, point };
        (place != Self::default()).then_some(place)
    }

    /// The city.
    #[must_use]
    pub fn city(&self) -> Option<&str> {
        self.city.as_deref()
    }

    /// The country.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// The continent.
    #[must_use]
    pub fn continent(&self) -> Option<Continent> {
        self.continent
    }

    /// Where on the earth it is.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        self.point
    }

    /// In a person's words: "Lyon, France", or as much of it as is known. Nobody recognises
    /// themselves in a latitude.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        match (self.city(), self.country()) {
            (Some(city), Some(country)) if city != country => Some(format!("{city}, {country}")),
            (Some(name), _) | (None, Some(name)) => Some(name.to_owned()),
            (None, None) => self.continent.map(|continent| continent.name().to_owned()),
        }
    }
}

/// A name without what would break a line, and not longer than any real one.
fn name(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

impl Continent {
    const ALL: [Self; 7] = [
        Self::Africa,
        Self::Antarctica,
        Self::Asia,
        Self::Europe,
        Self::NorthAmerica,
        Self::Oceania,
        Self::SouthAmerica,
    ];

    /// Its code of two letters, as databases have it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::NorthAmerica => "NA",
            Self::Oceania => "OC",
            Self::SouthAmerica => "SA",
        }
    }

    /// Reads a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|continent| continent.code() == code)
    }

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Africa => "Africa",
            Self::Antarctica => "Antarctica",
            Self::Asia => "Asia",
            Self::Europe => "Europe",
            Self::NorthAmerica => "North America",
            Self::Oceania => "Oceania",
            Self::SouthAmerica => "South America",
        }
    }
}

impl Point {
    /// A point at `latitude` and `longitude`, in degrees, known to `within` so many kilometres; or
    /// `None` if that is nowhere on the earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64, within: f64) -> Option<Self> {
        let is_somewhere = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        (is_somewhere && within >= 0.0).then(|| Self {
            latitude,
            longitude,
            within: within.min(FARTHEST),
        })
    }

    /// How far apart two points are at the least, in kilometres, by the haversine formula.
    ///
    /// ```
    /// use doorward_core::place::Point;
    /// let (lyon, paris) = (Point::new(45.76, 4.84, 0.0).unwrap(), Point::new(48.86, 2.35, 0.0).unwrap());
    /// assert_eq!(lyon.kilometres_to(paris).round(), 392.0);
    /// let roughly = Point::new(48.86, 2.35, 100.0).unwrap();
    /// assert_eq!(lyon.kilometres_to(roughly).round(), 292.0);
    /// ```
    #[must_use]
    pub fn kilometres_to(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let north = ((to - from) / 2.0).sin().powi(2);
        let east = ((other.longitude - self.longitude).to_radians() / 2.0).sin().powi(2);
        let half = (north + from.cos() * to.cos() * east).sqrt().min(1.0);
        (2.0 * EARTH * half.asin() - self.within - other.within).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(latitude: f64, longitude: f64) -> Point {
        Point::new(latitude, longitude, 0.0).unwrap()
    }

    #[track_caller]
    fn words(city: Option<&str>, country: Option<&str>, expected: &str) {
        let place = Place::new(city, country, Some(Continent::NorthAmerica), None).unwrap();
        assert_eq!(place.words().as_deref(), Some(expected));
    }

    #[test]
    fn a_place_is_told_as_exactly_as_it_is_known() {
        words(Some("Halifax"), Some("Canada"), "Halifax, Canada");
        words(None, Some("Canada"), "Canada");
        words(Some("Halifax"), None, "Halifax");
        words(Some("Panama"), Some("Panama"), "Panama");
        words(None, None, "North America");
        let nameless = Place::new(None, None, None, Some(point(0.0, 0.0))).unwrap();
        assert_eq!(nameless.words(), None);
    }

    #[test]
    fn a_hostile_name_is_cut_and_cleaned() {
        let name = format!("a\r\nb\0{}", "x".repeat(9999));
        let place = Place::new(Some(&name), None, None, None).unwrap();
        assert_eq!(place.city().unwrap().chars().count(), NAME_MAX);
        assert!(place.city().unwrap().starts_with("abx"));
        assert_eq!(Place::new(Some("\n"), Some(""), None, None), None);
    }

    #[test]
    fn every_continent_has_its_code() {
        for continent in Continent::ALL {
            assert_eq!(Continent::from_code(continent.code()), Some(continent));
        }
        assert_eq!(Continent::from_code("eu"), None);
        assert_eq!(Continent::from_code("XX"), None);
    }

    #[test]
    fn a_point_is_on_the_earth_or_there_is_none() {
        for (latitude, longitude, within) in [
            (90.1, 0.0, 0.0),
            (-90.1, 0.0, 0.0),
            (0.0, 180.1, 0.0),
            (0.0, -180.1, 0.0),
            (0.0, 0.0, -1.0),
            (f64::NAN, 0.0, 0.0),
            (0.0, f64::INFINITY, 0.0),
            (0.0, 0.0, f64::NAN),
        ] {
            assert_eq!(Point::new(latitude, longitude, within), None);
        }
        assert!(Point::new(-90.0, 180.0, 0.0).is_some());
    }

    #[test]
    fn the_shorter_way_is_measured_over_the_date_line_and_the_poles() {
        assert!(point(0.0, 179.5).kilometres_to(point(0.0, -179.5)) < 112.0);
        assert!(point(89.5, 0.0).kilometres_to(point(89.5, 180.0)) < 112.0);
        assert!((point(90.0, 0.0).kilometres_to(point(-90.0, 0.0)) - 20_015.1).abs() < 1.0);
        assert!(point(45.0, 4.0).kilometres_to(point(45.0, 4.0)) < 1e-9);
    }

    #[test]
    fn what_is_known_roughly_may_be_as_near_as_it_can_be() {
        let rough = Point::new(0.0, 10.0, f64::INFINITY).unwrap();
        assert!(rough.kilometres_to(point(0.0, -170.0)) < 1e-9);
    }
}
