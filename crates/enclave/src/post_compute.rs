//! After the app: the digest of its result, the archive, encrypted for the beneficiary if that
//! was asked for, and the enclave's signature (spec/secrets-tee.md §2.4, §3.2).

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chain::Wallet;
use protocol::{
    Address, B256, Bytes, Cause, TaskId,
    cipher::{self, Iv, KEY_BYTES, KEY_ENTRY, Key, PAYLOAD_ENTRY, RSA_BITS},
    computed, digest,
};
use rand::{RngCore, rngs::OsRng};
use rsa::{Pkcs1v15Encrypt, RsaPublicKey, pkcs8::DecodePublicKey};
use worker::{Failure, Outcome};
use zeroize::Zeroizing;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::environment::StageEnvironment;

/// The archive in clear, in the private folder.
const PLAIN: &str = "iexec_out.zip";

/// Where a result is and goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// What the app wrote: `IEXEC_OUT`.
    pub(crate) output: &'a Path,
    /// For what is not encrypted yet.
    pub(crate) private: &'a Path,
    /// The archive to upload; none is made of a deal with a callback.
    pub(crate) archive: &'a Path,
    /// Whose signature pool and chain expect.
    pub(crate) challenge: Address,
}

/// A result that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Computed {
    /// Of the deterministic output.
    pub(crate) digest: B256,
    /// For the deal's callback; empty without one.
    pub(crate) callback_data: Bytes,
    /// By the enclave's key over result hash and seal.
    pub(crate) signature: Bytes,
}

/// Judges, signs, packs and encrypts what the app wrote.
///
/// # Errors
/// The first thing that went wrong, with the official cause: nothing after it could be done.
pub(crate) fn post_compute(
    environment: &StageEnvironment,
    place: Place<'_>,
) -> Result<Computed, Failure> {
    let signer = Signer::of(environment, place.challenge)?;
    let has_callback = environment.flag("RESULT_STORAGE_CALLBACK")?;
    let outcome = worker::read_outcome(place.output, has_callback);
    let outcome = outcome.map_err(|failure| official(failure, place.output))?;
    let signature = signer.sign(outcome.digest)?;
    if !has_callback {
        store(environment, place)?;
    }
    let Outcome {
        digest,
        callback_data,
        ..
    } = outcome;
    Ok(Computed {
        digest,
        callback_data: callback_data.into(),
        signature,
    })
}

/// A standard task has one cause for what two official programs tell apart.
fn official(failure: Failure, output: &Path) -> Failure {
    if failure.cause != Cause::DeterminismHashNotFound {
        return failure;
    }
    let read = fs::read(output.join(computed::FILE_NAME)).ok();
    let parsed = read.and_then(|bytes| computed::ComputedFile::parse(&bytes).ok());
    let cause = match parsed {
        Some(_) => Cause::ResultDigestComputationFailed,
        None => Cause::ComputedFileNotFound,
    };
    Failure::new(cause, failure.message)
}

/// The enclave's key and what it signs for.
struct Signer {
    task: TaskId,
    worker: Address,
    key: Wallet,
}

impl Signer {
    fn of(environment: &StageEnvironment, challenge: Address) -> Result<Self, Failure> {
        let missing = |cause| move || Failure::plain(cause);
        let task = environment.get("IEXEC_TASK_ID");
        let task = task.and_then(|text| text.parse().ok());
        let worker = environment.get("SIGN_WORKER_ADDRESS");
        let worker = worker.and_then(|text| text.parse().ok());
        let key = environment
            .get("SIGN_TEE_CHALLENGE_PRIVATE_KEY")
            .ok_or_else(missing(Cause::PostSigningKeyMissing))?;
        let key: Option<B256> = key.parse().ok();
        let key = key.and_then(|key| Wallet::from_key(&key).ok());
        let key = key.filter(|key| key.address() == challenge);
        Ok(Self {
            task: task.ok_or_else(missing(Cause::PostTaskIdMissing))?,
            worker: worker.ok_or_else(missing(Cause::PostWorkerAddressMissing))?,
            key: key.ok_or_else(missing(Cause::PostInvalidTeeSignature))?,
        })
    }

    fn sign(&self, result: B256) -> Result<Bytes, Failure> {
        let hash = digest::enclave(self.worker, self.task, result);
        let signed = self.key.sign_message_hash(hash);
        let signed = signed.map_err(|_| Failure::plain(Cause::PostInvalidTeeSignature))?;
        Ok(signed.as_bytes().into())
    }
}

fn store(environment: &StageEnvironment, place: Place<'_>) -> Result<(), Failure> {
    check_names(place.output)?;
    if environment.get("RESULT_STORAGE_PROVIDER") == Some("dropbox") {
        return Err(Failure::plain(Cause::DropboxUploadFailed));
    }
    if !environment.flag("RESULT_ENCRYPTION")? {
        return worker::pack(place.output, place.archive);
    }
    let key = environment
        .get("RESULT_ENCRYPTION_PUBLIC_KEY")
        .ok_or_else(|| Failure::plain(Cause::PostEncryptionKeyMissing))?;
    let key = public_key(key).map_err(|reason| {
        let cause = Cause::PostMalformedEncryptionKey;
        Failure::new(cause, format!("the beneficiary's key {reason}"))
    })?;
    let plain = place.private.join(PLAIN);
    worker::pack(place.output, &plain)?;
    let sealed = seal(&key, &plain, place.archive);
    let _ = fs::remove_file(&plain);
    sealed.map_err(|e| Failure::from_error(Cause::PostEncryptionFailed, &e))
}

/// The official rule is for bytes, and for folders of any depth.
fn check_names(output: &Path) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::from_error(Cause::OutFolderZipFailed, &e);
    let mut folders = vec![output.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.len() > computed::NAME_CHARS_MAX {
                let (name, max) = (name.display(), computed::NAME_CHARS_MAX);
                let message = format!("`{name}` has more than {max} bytes");
                return Err(Failure::new(Cause::TooLongResultFileName, message));
            }
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// The beneficiary's key, as the secret manager has it: base64 of PEM.
fn public_key(text: &str) -> Result<RsaPublicKey, &'static str> {
    let text: String = text.split_ascii_whitespace().collect();
    let pem = STANDARD.decode(text).map_err(|_| "is not base64")?;
    let pem = String::from_utf8(pem).map_err(|_| "is not PEM")?;
    let key = RsaPublicKey::from_public_key_pem(&pem);
    let key = key.map_err(|_| "is no RSA public key in PEM")?;
    let bits = rsa::traits::PublicKeyParts::size(&key) * 8;
    match RSA_BITS.contains(&bits) {
        true => Ok(key),
        false => Err("has less than 2048 or more than 8192 bits"),
    }
}

/// The outer archive: the key for the beneficiary, and the encrypted inner archive.
fn seal(recipient: &RsaPublicKey, plain: &Path, archive: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let mut iv = Iv::default();
    OsRng.fill_bytes(key.as_mut_slice());
    OsRng.fill_bytes(&mut iv);
    let key = Key::from_bytes(*key);
    let wrapped = recipient.encrypt(&mut OsRng, Pkcs1v15Encrypt, key.bytes());
    let wrapped = wrapped.map_err(io::Error::other)?;
    // What is encrypted cannot be made smaller.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(BufWriter::new(File::create(archive)?));
    zip.start_file(KEY_ENTRY, options)?;
    zip.write_all(&wrapped)?;
    zip.start_file(PAYLOAD_ENTRY, options)?;
    let mut from = BufReader::new(File::open(plain)?);
    cipher::encrypt(&key, iv, &mut from, &mut zip)?;
    zip.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::environment::testing::environment;

    const PUBLIC: &str = include_str!("../vectors/TEST_ONLY_rsa2048.pub.pem");
    const PRIVATE: &str = include_str!("../../sdk/vectors/TEST_ONLY_rsa2048.key.pem");
    // Recorded from the official program (auth/protocol_signatures.json).
    const TASK: &str = "0x2a97330a259a16e918cd2ef8e92db197b68eb1a01bc1a58ee19be81ea60d3d8b";
    const WORKER: &str = "0x1a69b2eb604db8eba185df03ea4f5288dcbbd248";
    const KEY: &str = "0xdd3b993ec21c71c1f6d63a5240850e0d4d8dd83ff70d29e49247958548c1d479";
    const CHALLENGE: &str = "0x9605a0B32a4b9bbE41043459ef4d1507600C10B1";
    const DIGEST: &str = "0xcc562cd3efd178072c74f983d88ffbe298fd5f3cf835e322e03fcf3a4fe0817a";
    const SIGNATURE: &str = "0xa98a7fff2bd6829b2d22d5fb22dfc968b93234eaafefe294e11f169915442bc1\
                             6770b954438446ba7445909deda4f672c9d31b52416e3d47a3b1144f370103f41c";
    const RESULT: &str = r#"{"deterministic-output-path":"/iexec_out/result.txt"}"#;

    struct Scene(tempfile::TempDir);

    impl Scene {
        /// What the app of the recording wrote.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("out/sub")).unwrap();
            let scene = Self(dir);
            scene.write("computed.json", RESULT);
            scene.write("result.txt", "the secret result is 42\n");
            scene.write("sub/more.txt", "more");
            scene
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join("out").join(name), text).unwrap();
        }

        fn archive(&self) -> std::path::PathBuf {
            self.0.path().join("archive.zip")
        }

        fn run(&self, changes: &[(&str, &str)]) -> Result<Computed, Failure> {
            let usual = [
                ("IEXEC_TASK_ID", TASK),
                ("SIGN_WORKER_ADDRESS", WORKER),
                ("SIGN_TEE_CHALLENGE_PRIVATE_KEY", KEY),
                ("RESULT_ENCRYPTION", "false"),
                ("RESULT_STORAGE_CALLBACK", "false"),
            ];
            let all = usual.iter().chain(changes).copied();
            let (output, private) = (self.0.path().join("out"), self.0.path().join("private"));
            fs::create_dir_all(&private).unwrap();
            let place = Place {
                output: &output,
                private: &private,
                archive: &self.archive(),
                challenge: CHALLENGE.parse().unwrap(),
            };
            let done = post_compute(&environment(all), place);
            assert_eq!(fs::read_dir(private).unwrap().count(), 0);
            done
        }

        fn cause(&self, changes: &[(&str, &str)]) -> Cause {
            self.run(changes).unwrap_err().cause
        }
    }

    fn encoded(pem: &str) -> String {
        STANDARD.encode(pem)
    }

    #[test]
    fn digest_and_signature_equal_the_official_programs() {
        let computed = Scene::new().run(&[]).unwrap();
        assert_eq!(computed.digest.to_string(), DIGEST);
        assert_eq!(computed.signature.to_string(), SIGNATURE);
        assert!(computed.callback_data.is_empty());
    }

    #[test]
    fn a_callback_is_signed_and_stored_nowhere() {
        let scene = Scene::new();
        let data = "0x0000000000000000000000000000000000000000000000000000000000000001";
        scene.write("computed.json", &format!(r#"{{"callback-data":"{data}"}}"#));
        let computed = scene.run(&[("RESULT_STORAGE_CALLBACK", "true")]).unwrap();
        let official = "0xb10e2d527612073b26eecdfd717e6a320cf44b4afac2b0732d9fcbe2b7fa0cf6";
        assert_eq!(computed.digest.to_string(), official);
        assert_eq!(computed.callback_data.to_string(), data);
        assert!(!scene.archive().exists());
    }

    #[test]
    fn a_folder_has_the_official_digest() {
        let scene = Scene::new();
        fs::create_dir(scene.0.path().join("out/d")).unwrap();
        scene.write("d/a.txt", "A");
        scene.write("d/b.txt", "B");
        scene.write(
            "computed.json",
            r#"{"deterministic-output-path":"/iexec_out/d"}"#,
        );
        let official = "0x3e414b345ce4e8d016eff459b112b41de5bc488237863d83187f93ba096a9666";
        assert_eq!(scene.run(&[]).unwrap().digest.to_string(), official);
    }

    #[test]
    fn the_beneficiary_opens_what_was_packed() {
        let scene = Scene::new();
        scene.run(&[]).unwrap();
        let plain = fs::read(scene.archive()).unwrap();
        let key = encoded(PUBLIC);
        let asked = [
            ("RESULT_ENCRYPTION", "true"),
            ("RESULT_ENCRYPTION_PUBLIC_KEY", &key),
        ];
        scene.run(&asked).unwrap();
        let encrypted = fs::read(scene.archive()).unwrap();
        let found = |needle: &[u8]| encrypted.windows(needle.len()).any(|part| part == needle);
        assert!(found(KEY_ENTRY.as_bytes()) && !found(b"result.txt"));
        assert_eq!(sdk::result::decrypt(&encrypted, PRIVATE).unwrap(), plain);
        scene.run(&asked).unwrap();
        assert_ne!(
            fs::read(scene.archive()).unwrap(),
            encrypted,
            "a key is used once"
        );
    }

    #[test]
    fn what_is_missing_or_malformed_has_its_cause() {
        let (scene, garbage) = (Scene::new(), encoded("garbage"));
        for (name, value, cause) in [
            ("IEXEC_TASK_ID", "", Cause::PostTaskIdMissing),
            ("SIGN_WORKER_ADDRESS", "", Cause::PostWorkerAddressMissing),
            (
                "SIGN_TEE_CHALLENGE_PRIVATE_KEY",
                "",
                Cause::PostSigningKeyMissing,
            ),
            (
                "SIGN_TEE_CHALLENGE_PRIVATE_KEY",
                TASK,
                Cause::PostInvalidTeeSignature,
            ),
            ("RESULT_ENCRYPTION", "true", Cause::PostEncryptionKeyMissing),
            (
                "RESULT_STORAGE_PROVIDER",
                "dropbox",
                Cause::DropboxUploadFailed,
            ),
        ] {
            assert_eq!(scene.cause(&[(name, value)]), cause, "{name}");
        }
        for key in ["not base64!", &garbage, &encoded(PRIVATE)] {
            let asked = [
                ("RESULT_ENCRYPTION", "true"),
                ("RESULT_ENCRYPTION_PUBLIC_KEY", key),
            ];
            assert_eq!(scene.cause(&asked), Cause::PostMalformedEncryptionKey);
        }
        assert!(!scene.archive().exists());
    }

    #[test]
    fn a_result_is_packed_in_clear_only_where_that_is_said() {
        let scene = Scene::new();
        for flag in ["", "off", "1"] {
            let cause = scene.cause(&[("RESULT_ENCRYPTION", flag)]);
            assert_eq!(cause, Cause::PostComputeUnknown, "{flag}");
            let cause = scene.cause(&[("RESULT_STORAGE_CALLBACK", flag)]);
            assert_eq!(cause, Cause::PostComputeUnknown, "{flag}");
        }
        assert!(!scene.archive().exists());
    }

    #[test]
    fn the_apps_mistakes_have_the_official_causes() {
        let scene = Scene::new();
        scene.write("computed.json", "no json");
        assert_eq!(scene.cause(&[]), Cause::ComputedFileNotFound);
        fs::remove_file(scene.0.path().join("out/computed.json")).unwrap();
        assert_eq!(scene.cause(&[]), Cause::ComputedFileNotFound);
        for path in ["/iexec_out/none", "/iexec_out/../etc/passwd", "/etc/passwd"] {
            let computed = format!(r#"{{"deterministic-output-path":"{path}"}}"#);
            scene.write("computed.json", &computed);
            assert_eq!(scene.cause(&[]), Cause::ResultDigestComputationFailed);
        }
        scene.write("computed.json", RESULT);
        scene.write(&format!("sub/{}", "é".repeat(16)), "32 bytes");
        assert_eq!(scene.cause(&[]), Cause::TooLongResultFileName);
    }

    #[test]
    fn an_archive_that_cannot_be_written() {
        let (scene, key) = (Scene::new(), encoded(PUBLIC));
        fs::create_dir(scene.archive()).unwrap();
        let asked = [
            ("RESULT_ENCRYPTION", "true"),
            ("RESULT_ENCRYPTION_PUBLIC_KEY", key.as_str()),
        ];
        assert_eq!(scene.cause(&asked), Cause::PostEncryptionFailed);
    }

    #[test]
    fn links_lead_nowhere() {
        let scene = Scene::new();
        fs::remove_file(scene.0.path().join("out/result.txt")).unwrap();
        symlink("/etc/passwd", scene.0.path().join("out/result.txt")).unwrap();
        assert_eq!(scene.cause(&[]), Cause::ResultDigestComputationFailed);
    }
}
