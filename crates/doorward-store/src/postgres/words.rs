//! Words that a session's row keeps as numbers. A number that was given stays given: rows have it.

use doorward_core::session::{Assurance, Carrier, Method};

/// A carrier, as it is kept.
pub(super) fn carrier_number(carrier: Carrier) -> i16 {
    match carrier {
        Carrier::Cookie => 0,
        Carrier::Token => 1,
    }
}

/// The carrier that was kept.
pub(super) fn carrier(number: i16) -> Option<Carrier> {
    match number {
        0 => Some(Carrier::Cookie),
        1 => Some(Carrier::Token),
        _ => None,
    }
}

/// How sure we are of a session's owner, as it is kept: the number in the level's name.
pub(super) fn assurance_number(assurance: Assurance) -> i16 {
    match assurance {
        Assurance::Aal1 => 1,
        Assurance::Aal2 => 2,
        Assurance::Aal3 => 3,
    }
}

/// The assurance that was kept.
pub(super) fn assurance(number: i16) -> Option<Assurance> {
    match number {
        1 => Some(Assurance::Aal1),
        2 => Some(Assurance::Aal2),
        3 => Some(Assurance::Aal3),
        _ => None,
    }
}

fn bit(method: Method) -> i16 {
    match method {
        Method::Password => 1,
    }
}

/// How a session's owner proved themselves, as it is kept: one bit for each method.
pub(super) fn method_bits(methods: &[Method]) -> i16 {
    methods.iter().fold(0, |bits, method| bits | bit(*method))
}

/// The methods that were kept.
pub(super) fn methods(bits: i16) -> Option<Vec<Method>> {
    let (mut methods, mut known) = (Vec::new(), 0);
    for method in Method::ALL {
        known |= bit(method);
        if bits & bit(method) != 0 {
            methods.push(method);
        }
    }
    (bits & !known == 0).then_some(methods)
}
