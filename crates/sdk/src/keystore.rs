//! Private keys in files: keystore v3 as ethers writes it, and the plain `wallet.json`
//! (spec/client.md §2.3). Text in and text out; who stores it uses mode 0600.

use aes::{
    Aes128,
    cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray},
};
use chain::Wallet;
use protocol::{Address, B256};
use scrypt::{Params, scrypt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, keccak};

/// scrypt's cost for new files, log2 of n: ethers' default.
const SCRYPT_LOG_N: u8 = 17;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
/// A file asking for more would let a stranger's file exhaust the memory (1 GiB at r = 8).
const SCRYPT_LOG_N_MAX: u8 = 20;
const SCRYPT_R_MAX: u32 = 8;
const SCRYPT_P_MAX: u32 = 16;
const BLOCK: usize = 16;

#[derive(Deserialize, Serialize)]
struct File {
    address: Option<String>,
    id: Option<String>,
    version: u32,
    #[serde(rename = "Crypto", alias = "crypto")]
    crypto: Crypto,
}

#[derive(Deserialize, Serialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: Value,
    mac: String,
}

#[derive(Deserialize, Serialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize, Serialize)]
struct ScryptParams {
    salt: String,
    n: u64,
    dklen: usize,
    p: u32,
    r: u32,
}

/// What must be random in a new file: injected, so that tests can repeat it.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// scrypt's salt.
    pub salt: [u8; 32],
    /// The cipher's first counter block.
    pub iv: [u8; BLOCK],
    /// The file's id, a version 4 UUID.
    pub id: [u8; 16],
}

impl Seed {
    /// From the operating system.
    pub fn random() -> Self {
        Self {
            salt: rand::random(),
            iv: rand::random(),
            id: rand::random(),
        }
    }
}

/// A keystore file of `wallet`, locked with `password`. Takes about a second on purpose.
///
/// # Errors
/// [`Error::Wallet`] when the key derivation fails.
pub fn encrypt(wallet: &Wallet, password: &str, seed: &Seed) -> Result<Value, Error> {
    encrypt_at(wallet, password, seed, SCRYPT_LOG_N)
}

fn encrypt_at(wallet: &Wallet, password: &str, seed: &Seed, log_n: u8) -> Result<Value, Error> {
    let key = derive(password, &seed.salt, log_n, SCRYPT_R, SCRYPT_P)?;
    let mut text = wallet.key().0;
    apply_ctr(&key, seed.iv, &mut text);
    let kdfparams = ScryptParams {
        salt: hex::encode(seed.salt),
        n: 1 << log_n,
        dklen: 32,
        p: SCRYPT_P,
        r: SCRYPT_R,
    };
    let file = File {
        address: Some(hex::encode(wallet.address())),
        id: Some(uuid(seed.id)),
        version: 3,
        crypto: Crypto {
            cipher: "aes-128-ctr".to_owned(),
            cipherparams: CipherParams {
                iv: hex::encode(seed.iv),
            },
            ciphertext: hex::encode(text),
            kdf: "scrypt".to_owned(),
            kdfparams: serde_json::to_value(kdfparams).unwrap_or_default(),
            mac: hex::encode(mac(&key, &text)),
        },
    };
    Ok(serde_json::to_value(file).unwrap_or_default())
}

/// Unlocks a keystore file, or reads a plain `wallet.json` (which needs no password).
///
/// # Errors
/// [`Error::Wallet`]: not a wallet, a wrong password, or a format we do not read.
pub fn decrypt(text: &str, password: &str) -> Result<Wallet, Error> {
    if let Some(wallet) = plain(text)? {
        return Ok(wallet);
    }
    let file: File = serde_json::from_str(text).map_err(|e| wrong(format!("not a wallet: {e}")))?;
    let crypto = &file.crypto;
    if crypto.kdf != "scrypt" || crypto.cipher != "aes-128-ctr" {
        return Err(wrong(format!(
            "{} with {} is not supported",
            crypto.kdf, crypto.cipher
        )));
    }
    let params: ScryptParams = serde_json::from_value(crypto.kdfparams.clone())
        .map_err(|e| wrong(format!("kdfparams: {e}")))?;
    let log_n = u8::try_from(params.n.trailing_zeros()).unwrap_or(u8::MAX);
    if !params.n.is_power_of_two()
        || log_n > SCRYPT_LOG_N_MAX
        || params.r > SCRYPT_R_MAX
        || params.p > SCRYPT_P_MAX
    {
        return Err(wrong("its key derivation asks for too much memory"));
    }
    let key = derive(password, &unhex(&params.salt)?, log_n, params.r, params.p)?;
    unseal(&key, crypto)
}

fn unseal(key: &[u8; 32], crypto: &Crypto) -> Result<Wallet, Error> {
    let mut text = unhex(&crypto.ciphertext)?;
    if mac(key, &text).as_slice() != unhex(&crypto.mac)? {
        return Err(Error::Wallet {
            reason: "incorrect password".to_owned(),
            hint: None,
        });
    }
    let iv = unhex(&crypto.cipherparams.iv)?;
    let iv: [u8; BLOCK] = iv.try_into().map_err(|_| wrong("its iv is not 16 bytes"))?;
    apply_ctr(key, iv, &mut text);
    let secret = B256::try_from(text.as_slice()).map_err(|_| wrong("its key is not 32 bytes"))?;
    Wallet::from_key(&secret).map_err(|e| wrong(e.to_string()))
}

/// Whether a wallet text needs a password.
pub fn is_encrypted(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("privateKey").is_none())
}

/// The address of a wallet text, without unlocking it.
pub fn address_of(text: &str) -> Option<Address> {
    let value: Value = serde_json::from_str(text).ok()?;
    let address = value.get("address")?.as_str()?;
    address.trim_start_matches("0x").parse().ok()
}

/// The unlocked wallet as `wallet.json` shows it: key, uncompressed public key and address.
pub fn unencrypted(wallet: &Wallet) -> Value {
    json!({
        "privateKey": wallet.key(),
        "publicKey": public_key(wallet),
        "address": wallet.address().to_checksum(None),
    })
}

/// `0x04` and 64 bytes.
fn public_key(wallet: &Wallet) -> String {
    match alloy::signers::local::PrivateKeySigner::from_bytes(&wallet.key()) {
        Ok(signer) => format!("0x04{}", hex::encode(signer.public_key())),
        Err(_) => String::new(),
    }
}

/// Reads a private key as people paste it.
///
/// # Errors
/// [`Error::Invalid`]; the key is not repeated in the message.
pub fn wallet_of_key(text: &str) -> Result<Wallet, Error> {
    let digits = text.trim().trim_start_matches("0x");
    let wrong = || {
        Error::invalid(
            "privateKey",
            "it is not a 32 bytes hexstring of a valid key",
        )
    };
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong())?;
    Wallet::from_key(&B256::from(bytes)).map_err(|_| wrong())
}

fn plain(text: &str) -> Result<Option<Wallet>, Error> {
    let value: Value = serde_json::from_str(text).map_err(|_| wrong("it is not JSON"))?;
    value
        .get("privateKey")
        .and_then(Value::as_str)
        .map(wallet_of_key)
        .transpose()
}

fn derive(password: &str, salt: &[u8], log_n: u8, r: u32, p: u32) -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    let params = Params::new(log_n, r, p).map_err(|e| wrong(e.to_string()))?;
    scrypt(password.as_bytes(), salt, &params, &mut key).map_err(|e| wrong(e.to_string()))?;
    Ok(key)
}

fn mac(key: &[u8; 32], ciphertext: &[u8]) -> B256 {
    keccak([&key[16..], ciphertext].concat())
}

/// AES-128 in counter mode with the first half of the key; its own inverse.
fn apply_ctr(key: &[u8; 32], iv: [u8; BLOCK], text: &mut [u8]) {
    let cipher = Aes128::new(GenericArray::from_slice(&key[..BLOCK]));
    let mut counter = u128::from_be_bytes(iv);
    for chunk in text.chunks_mut(BLOCK) {
        let mut block = GenericArray::from(counter.to_be_bytes());
        cipher.encrypt_block(&mut block);
        chunk
            .iter_mut()
            .zip(block)
            .for_each(|(byte, mask)| *byte ^= mask);
        counter = counter.wrapping_add(1);
    }
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text.trim_start_matches("0x")).map_err(|e| wrong(e.to_string()))
}

fn wrong(reason: impl Into<String>) -> Error {
    Error::Wallet {
        reason: format!("wallet: {}", reason.into()),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const SEED: Seed = Seed {
        salt: [1; 32],
        iv: [0xff; BLOCK],
        id: [2; 16],
    };
    const TEST_LOG_N: u8 = 4;

    /// The test vector of the Web3 Secret Storage Definition for scrypt.
    const STANDARD: &str = r#"{"crypto":{"cipher":"aes-128-ctr",
        "cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"p":8,"r":1,
        "salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

    /// The standard gives the derived key too; its own scrypt parameters break scrypt's rules
    /// (n must be below 2^(16 r)), so that the derivation is not part of this test.
    #[test]
    fn the_standards_vector_is_read() {
        let file: File = serde_json::from_str(STANDARD).unwrap();
        let mut key = [0; 32];
        let derived = "fac192ceb5fd772906bea3e118a69e8bbb5cc24229e20d8766fd298291bba6bd";
        hex::decode_to_slice(derived, &mut key).unwrap();
        let secret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
        assert_eq!(
            hex::encode(unseal(&key, &file.crypto).unwrap().key()),
            secret
        );
        let error = unseal(&[0; 32], &file.crypto).unwrap_err();
        assert_eq!(error.to_string(), "incorrect password");
    }

    #[test]
    fn files_round_trip_across_a_counter_overflow() {
        let wallet = wallet_of_key(KEY).unwrap();
        let file = encrypt_at(&wallet, "pass", &SEED, TEST_LOG_N).unwrap();
        assert!(file["Crypto"].is_object(), "{file}");
        assert_eq!(file["id"], "02020202-0202-4202-8202-020202020202");
        let text = file.to_string();
        assert!(is_encrypted(&text));
        assert_eq!(address_of(&text), Some(wallet.address()));
        assert_eq!(decrypt(&text, "pass").unwrap().key(), wallet.key());
        assert!(decrypt(&text, "Pass").is_err());
    }

    #[test]
    fn other_programs_read_our_files() {
        let wallet = wallet_of_key(KEY).unwrap();
        let mut file = encrypt_at(&wallet, "pass", &SEED, TEST_LOG_N).unwrap();
        file["crypto"] = file["Crypto"].take(); // alloy knows the lower-case key only
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, file.to_string()).unwrap();
        let read = alloy::signers::local::PrivateKeySigner::decrypt_keystore(&path, "pass");
        assert_eq!(read.unwrap().address(), wallet.address());
    }

    #[test]
    fn plain_wallets_need_no_password() {
        let wallet = wallet_of_key(KEY).unwrap();
        let value = unencrypted(&wallet);
        assert_eq!(
            value["address"],
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        );
        assert!(
            value["publicKey"]
                .as_str()
                .unwrap()
                .starts_with("0x048318535b54105d4a7aae60")
        );
        let text = value.to_string();
        assert!(!is_encrypted(&text));
        assert_eq!(decrypt(&text, "").unwrap().address(), wallet.address());
    }

    #[test]
    fn greedy_and_broken_files_are_refused() {
        let greedy = STANDARD.replace("262144", "1099511627776");
        assert!(
            decrypt(&greedy, "x")
                .unwrap_err()
                .to_string()
                .contains("memory")
        );
        assert!(decrypt("{}", "x").is_err());
        assert!(decrypt("nonsense", "x").is_err());
        let error = wallet_of_key("0x1234").unwrap_err().to_string();
        assert!(!error.contains("1234"), "{error}");
    }
}
