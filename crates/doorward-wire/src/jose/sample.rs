//! The published keys of the RFCs, for tests: everybody knows them, so they are nobody's.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeyPairComponents;
use aws_lc_rs::signature::{RsaKeyPair, RsaPublicKeyComponents};
use base64ct::{Base64UrlUnpadded, Encoding};

use super::{Algorithm, SigningKey};
use crate::id::KeyId;

pub(crate) fn bytes(base64url: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(base64url).unwrap()
}

/// The key of this algorithm. Each has its own name.
pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_material(KeyId(algorithm as u128), algorithm, &material(algorithm)).unwrap()
}

pub(crate) fn material(algorithm: Algorithm) -> Vec<u8> {
    match algorithm {
        Algorithm::EdDsa => ed25519_pkcs8(),
        Algorithm::Es256 => p256_pkcs8(),
        Algorithm::Rs256 => rsa_pkcs8(),
        Algorithm::Hs256 => hmac_secret(),
    }
}

/// Turns an ES256 signature (r, s) into (r, n − s), by other arithmetic than `es256.rs` does.
pub(crate) fn other_form(signature: &mut [u8]) {
    const ORDER: [u128; 2] =
        [0xFFFF_FFFF_0000_0000_FFFF_FFFF_FFFF_FFFF, 0xBCE6_FAAD_A717_9E84_F3B9_CAC2_FC63_2551];
    let half = |bytes: &[u8]| u128::from_be_bytes(bytes.try_into().unwrap());
    let (low, borrow) = ORDER[1].overflowing_sub(half(&signature[48..]));
    let high = ORDER[0] - half(&signature[32..48]) - u128::from(borrow);
    signature[32..48].copy_from_slice(&high.to_be_bytes());
    signature[48..].copy_from_slice(&low.to_be_bytes());
}

/// RFC 8037, appendix A.1.
fn ed25519_pkcs8() -> Vec<u8> {
    const BEFORE_SEED: [u8; 16] = [
        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let seed = bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    [&BEFORE_SEED[..], &seed].concat()
}

/// RFC 7515, appendix A.3.
fn p256_pkcs8() -> Vec<u8> {
    const BEFORE_NUMBER: [u8; 35] = [
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02,
        0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25,
        0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    [&BEFORE_NUMBER[..], &bytes("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")].concat()
}

/// RFC 7520, section 3.4.
fn rsa_pkcs8() -> Vec<u8> {
    let pair = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: RsaPublicKeyComponents { n: bytes(RSA_N), e: bytes("AQAB") },
        d: bytes(RSA_D),
        p: bytes(RSA_P),
        q: bytes(RSA_Q),
        dP: bytes(RSA_DP),
        dQ: bytes(RSA_DQ),
        qInv: bytes(RSA_QI),
    });
    AsDer::<Pkcs8V1Der<'_>>::as_der(&pair.unwrap()).unwrap().as_ref().to_vec()
}

/// RFC 7515, appendix A.1.
fn hmac_secret() -> Vec<u8> {
    bytes("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
}

const RSA_N: &str = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0\
     VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBord\
     aZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzw\
     OHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwU\
     kRz5iaiQkqgc5gHdrNP5zw";
const RSA_D: &str = "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ\
     -A1irkwMSMkK1J3XTGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqp\
     aIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h\
     -LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau\
     7gdsPfHPxxjVOcOpBrQzwQ";
const RSA_P: &str = "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4\
     Vupk8rw9JR0AzZ0N2fvuIAmr_WCsmGpeNqQnev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJls\
     Pp6Zv8bUq0k";
const RSA_Q: &str = "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrU\
     eq3MP15vMMON8lHTeZu2lmKvwqW7anV5UzhM1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB\
     3pVFJ0s7pFc";
const RSA_DP: &str = "B8PVvXkvJrj2L-GYQ7v3y9r6Kw5g9SahXBwsWUzp19TVlgI-YV85q1NIb1rxQtD-IsXXR3-TanevuRPR\
     t5OBOdiMGQp8pbt26gljYfKU_E9xn-RULHz0-ed9E9gXLKD4VGngpz-PfQ_q29pk5xWHoJp009Qf1HvC\
     hixRX59ehik";
const RSA_DQ: &str = "CLDmDGduhylc9o7r84rEUVn7pzQ6PF83Y-iBZx5NT-TpnOZKF1pErAMVeKzFEl41DlHHqqBLSM0W1sOF\
     bwTxYWZDm6sI6og5iTbwQGIC3gnJKbi_7k_vJgGHwHxgPaX2PnvP-zyEkDERuf-ry4c_Z11Cq9AqC2ye\
     L6kdKT1cYF8";
const RSA_QI: &str = "3PiqvXQN0zwMeE-sBvZgi289XP9XCQF3VWqPzMKnIgQp7_Tugo6-NZBKCQsMf3HaEGBjTVJs_jcK8-TR\
     XvaKe-7ZMaQj8VfBdYkssbu0NKDDhjJ-GtiseaDVWt7dcH0cfwxgFUHpQh7FoCrjFJ6h6ZEpMF6xmujs\
     4qMpPz8aaI4";
