//! Signatures of Standard Webhooks: `v1`, HMAC-SHA256 over id, time and body. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// What the specification asks of a secret, in bytes.
const LEAST: usize = 24;
const MOST: usize = 64;

/// A shared secret. Prints nothing.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

/// One for each secret: while a secret is being changed there are two, and a receiver takes either.
#[derive(Clone, Default, Debug)]
pub(crate) struct Signers(pub(crate) Vec<Signer>);

impl Signer {
    /// Reads `whsec_` and base64.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be {PREFIX} and {LEAST} to {MOST} random bytes in base64, such as `openssl rand -base64 32` makes"
            )
        };
        let secret = text.trim().strip_prefix(PREFIX).ok_or_else(wrong)?;
        let secret = STANDARD.decode(secret).map_err(|_| wrong())?;
        if !(LEAST..=MOST).contains(&secret.len()) {
            return Err(wrong());
        }
        Hmac::new_from_slice(&secret).map(Self).map_err(|_| wrong())
    }

    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut hmac = self.0.clone();
        hmac.update(format!("{id}.{timestamp}.").as_bytes());
        hmac.update(body);
        format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
    }
}

impl Signers {
    /// The field's value; empty without secrets. The id has no dot, so nothing else can have the same signature.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let all: Vec<_> = self.0.iter().map(|signer| signer.sign(id, timestamp, body)).collect();
        all.join(" ")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let signer = Signer::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_are_two_signatures_and_none_is_none() {
        let one = Signer::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let other = Signer::read(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap();
        let both = Signers(vec![one.clone(), other.clone()]).sign("a", 1, b"x");
        let expected = format!("{} {}", one.sign("a", 1, b"x"), other.sign("a", 1, b"x"));
        assert_eq!(both, expected);
        assert_eq!(Signers::default().sign("a", 1, b"x"), "");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_not_shown() {
        for secret in [
            String::new(),
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            "whsec_".to_owned(),
            "whsec_not base64 TOPSECRET".to_owned(),
            format!("whsec_{}", STANDARD.encode([7; LEAST - 1])),
            format!("whsec_{}", STANDARD.encode([7; MOST + 1])),
        ] {
            let error = Signer::read(&secret).unwrap_err();
            assert!(!error.contains("TOPSECRET"), "{error}");
        }
        for bytes in [LEAST, MOST] {
            let secret = format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
            assert_eq!(format!("{:?}", Signer::read(&secret).unwrap()), "Signer(***)");
        }
    }
}
