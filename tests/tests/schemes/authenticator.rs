//! A security key in software, and the browser around it, which both do as they are told: Web Authentication level 2,
//! sections 5.8 and 6, with ES256 and no attestation.

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ciborium::Value as Cbor;
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;

/// One key pair, for one site.
pub(crate) struct Authenticator {
    keys: EcdsaKeyPair,
    id: Vec<u8>,
    /// How often it was used.
    pub(crate) counter: u32,
    /// What browser and key say, be it true or not.
    pub(crate) says: Says,
}

/// What is signed.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) is_present: bool,
    pub(crate) is_framed: bool,
    /// Instead of the one that was asked for.
    pub(crate) challenge: Option<String>,
    pub(crate) user_handle: Option<String>,
}

impl Authenticator {
    pub(crate) fn new(origin: &str, rp_id: &str) -> Result<Self> {
        let keys = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let id = digest(&SHA256, keys.public_key().as_ref()).as_ref().to_vec();
        let says = Says {
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            is_present: true,
            is_framed: false,
            challenge: None,
            user_handle: None,
        };
        Ok(Self { keys, id, counter: 0, says })
    }

    pub(crate) fn id(&self) -> String {
        BASE64URL.encode(&self.id)
    }

    /// `navigator.credentials.create(…)`, and `toJSON()` of what it gives.
    pub(crate) fn create(&mut self, options: &Value) -> Result<Value> {
        let client_data = self.client_data("webauthn.create", options)?;
        let mut data = self.data(HAS_KEY);
        // The model, which it does not tell.
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len())?.to_be_bytes());
        data.extend(&self.id);
        ciborium::into_writer(&self.public_key(), &mut data)?;
        let attestation = Cbor::Map(vec![
            (Cbor::Text("fmt".into()), Cbor::Text("none".into())),
            (Cbor::Text("attStmt".into()), Cbor::Map(Vec::new())),
            (Cbor::Text("authData".into()), Cbor::Bytes(data)),
        ]);
        let mut object = Vec::new();
        ciborium::into_writer(&attestation, &mut object)?;
        Ok(self.shown(&json!({
            "clientDataJSON": BASE64URL.encode(client_data),
            "attestationObject": BASE64URL.encode(object),
            "transports": ["usb"],
        })))
    }

    /// `navigator.credentials.get(…)`, and `toJSON()` of what it gives.
    pub(crate) fn get(&mut self, options: &Value) -> Result<Value> {
        self.counter += 1;
        let client_data = self.client_data("webauthn.get", options)?;
        let data = self.data(0);
        let signed = [&data[..], digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.keys.sign(&SystemRandom::new(), &signed)?;
        Ok(self.shown(&json!({
            "clientDataJSON": BASE64URL.encode(client_data),
            "authenticatorData": BASE64URL.encode(data),
            "signature": BASE64URL.encode(signature.as_ref()),
            "userHandle": self.says.user_handle,
        })))
    }

    fn shown(&self, response: &Value) -> Value {
        json!({
            "id": self.id(),
            "rawId": self.id(),
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "cross-platform",
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Result<String> {
        let asked = options["challenge"].as_str().context("no challenge")?;
        let challenge = self.says.challenge.as_deref().unwrap_or(asked);
        let data = json!({
            "type": kind,
            "challenge": challenge,
            "origin": self.says.origin,
            "crossOrigin": self.says.is_framed,
        });
        Ok(data.to_string())
    }

    /// Without what only a new key has.
    fn data(&self, flags: u8) -> Vec<u8> {
        let present = if self.says.is_present { PRESENT | VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.says.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags | present);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// As COSE has it (RFC 9053 section 7.1.1).
    fn public_key(&self) -> Cbor {
        let point = self.keys.public_key().as_ref();
        let number = |number: i64| Cbor::Integer(number.into());
        Cbor::Map(vec![
            (number(1), number(2)),
            (number(3), number(-7)),
            (number(-1), number(1)),
            (number(-2), Cbor::Bytes(point[1..33].to_vec())),
            (number(-3), Cbor::Bytes(point[33..].to_vec())),
        ])
    }
}
