//! What a good RSA public key is, and how its two numbers are taken out of DER.

use super::key::KeyRefused;

const MODULUS_BYTES_MIN: usize = 2048 / 8;
const MODULUS_BYTES_MAX: usize = 8192 / 8;

/// The primes by which a modulus of ROCA is known (Nemec and others, CCS 2017): each prime factor of
/// such a modulus is k·M + (65537^a mod M), so modulo any of these, which divide M, it is a power
/// of 65537. A good modulus is that for all of them once in 2^28.
const ROCA_PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Refuses a key that is too short, too long to verify in good time, or known to be weak.
///
/// An exponent below 65537 is refused as NIST SP 800-56B does: with 1, the message is its own
/// signature, and with 3, lax readers of the padding were fooled (CVE-2006-4339).
pub(super) fn check(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyRefused> {
    // RFC 7518, section 6.3.1: as few bytes as possible, so the first is not zero.
    let (Some(&[top, ..]), Some(&[first, ..])) =
        (modulus.first_chunk::<1>(), exponent.first_chunk::<1>())
    else {
        return Err(KeyRefused::Malformed);
    };
    if top == 0 || first == 0 {
        return Err(KeyRefused::Malformed);
    }
    let bit_count = modulus.len() * 8 - top.leading_zeros() as usize;
    if bit_count < MODULUS_BYTES_MIN * 8 || is_roca(modulus) {
        return Err(KeyRefused::Weak);
    }
    if bit_count > MODULUS_BYTES_MAX * 8 {
        return Err(KeyRefused::Unsupported);
    }
    let Some(exponent) = small(exponent) else { return Err(KeyRefused::Unsupported) };
    if exponent < 65_537 || exponent % 2 == 0 {
        return Err(KeyRefused::Weak);
    }
    Ok(())
}

fn small(digits: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(8_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(u64::from_be_bytes(bytes))
}

fn is_roca(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|&prime| {
        let rest = modulus.iter().fold(0, |rest, &digit| (rest * 256 + u32::from(digit)) % prime);
        is_power_of_65537(rest, prime)
    })
}

fn is_power_of_65537(number: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == number {
            return true;
        }
        power = power * (65_537 % prime) % prime;
    }
    false
}

/// Takes modulus and exponent out of `RSAPublicKey` (RFC 8017, appendix A.1.1) as the library writes
/// it: a sequence of two positive integers.
pub(super) fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, []) = element(der, 0x30)? else { return None };
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, []) = element(rest, 0x02)? else { return None };
    Some((unsigned(modulus), unsigned(exponent)))
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0x81 => rest.split_first_chunk::<1>().map(|(&[a], rest)| (usize::from(a), rest))?,
        0x82 => rest
            .split_first_chunk::<2>()
            .map(|(&bytes, rest)| (usize::from(u16::from_be_bytes(bytes)), rest))?,
        short if short < 0x80 => (usize::from(short), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Without the zero that keeps an integer of DER from being negative.
fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bit_count: usize) -> Vec<u8> {
        let mut modulus = vec![0x5B; bit_count.div_ceil(8)];
        modulus[0] = 1 << ((bit_count - 1) % 8);
        modulus
    }

    #[track_caller]
    fn refused(modulus: &[u8], exponent: &[u8], expected: Result<(), KeyRefused>) {
        assert_eq!(check(modulus, exponent), expected);
    }

    #[test]
    fn a_modulus_has_between_2048_and_8192_bits() {
        refused(&modulus(2047), &[1, 0, 1], Err(KeyRefused::Weak));
        refused(&modulus(2048), &[1, 0, 1], Ok(()));
        refused(&modulus(8192), &[1, 0, 1], Ok(()));
        refused(&modulus(8193), &[1, 0, 1], Err(KeyRefused::Unsupported));
    }

    #[test]
    fn an_exponent_is_odd_and_at_least_65537() {
        let weak = Err(KeyRefused::Weak);
        for exponent in [&[1][..], &[3], &[0xFF, 0xFF], &[1, 0, 0], &[1, 0, 2]] {
            refused(&modulus(2048), exponent, weak);
        }
        refused(&modulus(2048), &[1, 0, 1], Ok(()));
        refused(&modulus(2048), &[1; 9], Err(KeyRefused::Unsupported));
    }

    #[test]
    fn a_number_has_no_zero_before_it() {
        let malformed = Err(KeyRefused::Malformed);
        refused(&[&[0][..], &modulus(2048)].concat(), &[1, 0, 1], malformed);
        refused(&modulus(2048), &[0, 1, 0, 1], malformed);
        refused(&[], &[1, 0, 1], malformed);
        refused(&modulus(2048), &[], malformed);
    }

    #[test]
    fn a_modulus_that_is_a_power_of_65537_for_every_prime_is_of_roca() {
        // 1, 65537 and its square are powers of 65537 by any modulus; their neighbours are not.
        for number in [&[1][..], &[1, 0, 1], &[1, 0, 2, 0, 1]] {
            assert!(is_roca(number), "{number:?}");
        }
        for number in [&[2][..], &[1, 0, 2], &[1, 0, 2, 0, 2]] {
            assert!(!is_roca(number), "{number:?}");
        }
    }

    #[test]
    fn der_that_is_cut_or_padded_holds_no_key() {
        let good = [0x30, 8, 2, 2, 0, 0x81, 2, 2, 1, 1];
        assert_eq!(numbers(&good), Some((&[0x81][..], &[1, 1][..])));
        for end in 0..good.len() {
            assert_eq!(numbers(&good[..end]), None, "{end}");
        }
        assert_eq!(numbers(&[&good[..], &[0]].concat()), None);
    }
}
