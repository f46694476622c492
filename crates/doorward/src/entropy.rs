//! The machine's randomness. Only this file may draw it.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use doorward_server::ambient::{Entropy, KeyNotMade};
use doorward_wire::jose::Algorithm;
use zeroize::Zeroizing;

/// How many bytes an HS256 key has: twice what RFC 7518, section 3.2, asks for.
const HS256_BYTES: usize = 64;

/// Randomness from the cryptographic library, which seeds itself from the kernel.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("a machine without randomness must not run an authentication server");
    }

    fn signing_key(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyNotMade> {
        let material = match algorithm {
            Algorithm::EdDsa => {
                Ed25519KeyPair::generate_pkcs8(&self.0).map_err(|_| KeyNotMade)?.as_ref().to_vec()
            }
            Algorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.0)
                    .map_err(|_| KeyNotMade)?
                    .as_ref()
                    .to_vec()
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyNotMade)?;
                AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair)
                    .map_err(|_| KeyNotMade)?
                    .as_ref()
                    .to_vec()
            }
            Algorithm::Hs256 => {
                let mut secret = vec![0; HS256_BYTES];
                self.fill(&mut secret);
                secret
            }
        };
        Ok(Zeroizing::new(material))
    }
}
