//! The two forms of an ECDSA signature.
//!
//! If (r, s) verifies, so does (r, n − s), and anybody can make one of the other. Revocation never
//! goes by a token's bytes, so the twin opens no door; but what is written once should be read in
//! one way. We sign with the lower s, and refuse the higher in tokens that only we can have signed.

use std::cmp::Ordering;

const BYTES: usize = 32;

/// n, the order of P-256.
const ORDER: [u8; BYTES] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Whether this is the form that we write. Anything but r and s of 32 bytes is not.
pub(super) fn is_low(signature: &[u8]) -> bool {
    match signature.get(BYTES..) {
        Some(s) if s.len() == BYTES => s.cmp(&minus(s)[..]) == Ordering::Less,
        _ => false,
    }
}

/// Turns a signature into the form that we write.
pub(super) fn lower(signature: &mut [u8]) {
    if signature.len() == 2 * BYTES && !is_low(signature) {
        let twin = minus(&signature[BYTES..]);
        signature[BYTES..].copy_from_slice(&twin);
    }
}

/// n − s, for s below n. Nothing here is secret, so it need not take constant time.
fn minus(s: &[u8]) -> [u8; BYTES] {
    let mut difference = ORDER;
    let mut borrow = false;
    for (digit, taken) in difference.iter_mut().zip(s).rev() {
        let (once, first) = digit.overflowing_sub(*taken);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        *digit = twice;
        borrow = first || second;
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(s_end: [u8; 2], from_order: bool, low: bool) {
        let mut s = [0; BYTES];
        s[BYTES - 2..].copy_from_slice(&s_end);
        let s = if from_order { minus(&s) } else { s };
        let mut signature = [[7; BYTES], s].concat();
        assert_eq!(is_low(&signature), low);
        lower(&mut signature);
        assert!(is_low(&signature));
        assert_eq!(signature[BYTES - 1..=BYTES], [7, 0], "r stays");
    }

    #[test]
    fn of_each_pair_one_form_is_low() {
        check([0, 1], false, true);
        check([0, 1], true, false);
        check([2, 0], false, true);
        check([2, 0], true, false);
    }

    #[test]
    fn the_middle_is_where_the_form_changes() {
        // n is odd: (n - 1) / 2 is low and its twin, one more, is high.
        let mut half = [0; BYTES];
        let mut carry = 0;
        for (out, digit) in half.iter_mut().zip(ORDER) {
            *out = (digit >> 1) | (carry << 7);
            carry = digit & 1;
        }
        assert!(is_low(&[[1; BYTES], half].concat()));
        assert!(!is_low(&[[1; BYTES], minus(&half)].concat()));
    }

    #[test]
    fn anything_but_two_numbers_is_not_low() {
        for length in [0, 32, 63, 65, 96] {
            assert!(!is_low(&vec![0; length]), "{length}");
        }
    }
}
