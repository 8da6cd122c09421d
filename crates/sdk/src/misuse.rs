//! Confidential runs that cannot work as they are asked for. They are refused before anything is
//! signed or sent, each with a code for programs, a sentence, and what to do.

use std::fmt;

/// Which rule is broken: `error.code` of `--raw`, stable from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Secrets of the requester in a run without an enclave.
    SecretWithoutTee,
    /// A result to be encrypted in a run without an enclave.
    EncryptionWithoutTee,
    /// A storage whose token is a secret, in a run without an enclave.
    StorageWithoutTee,
    /// A tag of Scone or Gramine.
    LegacyTeeTag,
    /// A tag that names no framework, several, or one without `tee`.
    IncompleteTeeTag,
    /// An app made for Scone or Gramine.
    LegacyEnclaveApp,
    /// An app without a checksum.
    ImageNotPinned,
    /// An app whose checksum is not a digest of its image.
    ImageDigestDiffers,
    /// No dataset order grants the dataset to this run.
    DatasetNotGranted,
    /// The key of the dataset is not in the SMS.
    DatasetKeyMissing,
    /// The beneficiary has no key to encrypt the result for.
    ResultKeyMissing,
    /// A secret that the run names is not in the SMS.
    RequesterSecretMissing,
    /// The requester has no token of the storage.
    StorageTokenMissing,
    /// The dataset's file cannot be an encrypted one.
    DatasetNotEncrypted,
    /// The dataset's file is not the one of the checksum on chain.
    DatasetChecksumDiffers,
    /// An encrypted dataset in a run without an enclave.
    DatasetNeedsTee,
}

impl Code {
    /// All of them, for the reference.
    pub const ALL: [Self; 16] = [
        Self::SecretWithoutTee,
        Self::EncryptionWithoutTee,
        Self::StorageWithoutTee,
        Self::LegacyTeeTag,
        Self::IncompleteTeeTag,
        Self::LegacyEnclaveApp,
        Self::ImageNotPinned,
        Self::ImageDigestDiffers,
        Self::DatasetNotGranted,
        Self::DatasetKeyMissing,
        Self::ResultKeyMissing,
        Self::RequesterSecretMissing,
        Self::StorageTokenMissing,
        Self::DatasetNotEncrypted,
        Self::DatasetChecksumDiffers,
        Self::DatasetNeedsTee,
    ];

    /// The code as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretWithoutTee => "SECRET_WITHOUT_TEE",
            Self::EncryptionWithoutTee => "ENCRYPTION_WITHOUT_TEE",
            Self::StorageWithoutTee => "STORAGE_WITHOUT_TEE",
            Self::LegacyTeeTag => "LEGACY_TEE_TAG",
            Self::IncompleteTeeTag => "INCOMPLETE_TEE_TAG",
            Self::LegacyEnclaveApp => "LEGACY_ENCLAVE_APP",
            Self::ImageNotPinned => "IMAGE_NOT_PINNED",
            Self::ImageDigestDiffers => "IMAGE_DIGEST_DIFFERS",
            Self::DatasetNotGranted => "DATASET_NOT_GRANTED",
            Self::DatasetKeyMissing => "DATASET_KEY_MISSING",
            Self::ResultKeyMissing => "RESULT_KEY_MISSING",
            Self::RequesterSecretMissing => "REQUESTER_SECRET_MISSING",
            Self::StorageTokenMissing => "STORAGE_TOKEN_MISSING",
            Self::DatasetNotEncrypted => "DATASET_NOT_ENCRYPTED",
            Self::DatasetChecksumDiffers => "DATASET_CHECKSUM_DIFFERS",
            Self::DatasetNeedsTee => "DATASET_NEEDS_TEE",
        }
    }

    /// One line for the reference.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SecretWithoutTee => "secrets of the requester in a run without tag tee,tdx",
            Self::EncryptionWithoutTee => "a result to be encrypted in a run without tag tee,tdx",
            Self::StorageWithoutTee => "a storage that needs a token, without tag tee,tdx",
            Self::LegacyTeeTag => "a tag of Scone or Gramine, which nobody serves any more",
            Self::IncompleteTeeTag => "a tag that does not name tee and tdx together",
            Self::LegacyEnclaveApp => "an app made for Scone or Gramine",
            Self::ImageNotPinned => "an app without a checksum of its image",
            Self::ImageDigestDiffers => "an app whose checksum is no digest of its image",
            Self::DatasetNotGranted => "no dataset order grants the dataset to this run",
            Self::DatasetKeyMissing => "the key of the dataset is not in the SMS",
            Self::ResultKeyMissing => "the beneficiary has no key in the SMS",
            Self::RequesterSecretMissing => "a secret that the run names is not in the SMS",
            Self::StorageTokenMissing => "the requester's storage token is not in the SMS",
            Self::DatasetNotEncrypted => "the dataset's file cannot be an encrypted one",
            Self::DatasetChecksumDiffers => "the dataset's file is not that of its checksum",
            Self::DatasetNeedsTee => "an encrypted dataset in a run without tag tee,tdx",
        }
    }

    /// Whether it is about what was typed, and not about what is missing elsewhere.
    pub(crate) const fn is_about_a_value(self) -> bool {
        matches!(
            self,
            Self::SecretWithoutTee
                | Self::EncryptionWithoutTee
                | Self::StorageWithoutTee
                | Self::LegacyTeeTag
                | Self::IncompleteTeeTag
        )
    }
}

/// A refusal; Display is its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// Which rule.
    pub code: Code,
    /// The sentence, with the values.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

impl Misuse {
    /// The error.
    pub fn error(code: Code, reason: impl Into<String>, hint: impl Into<String>) -> crate::Error {
        crate::Error::Misuse(Box::new(Self {
            code,
            reason: reason.into(),
            hint: hint.into(),
        }))
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_words() {
        let codes: BTreeSet<_> = Code::ALL.map(Code::as_str).into_iter().collect();
        assert_eq!(codes.len(), Code::ALL.len());
        let is_word = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(codes.iter().all(is_word), "{codes:?}");
    }
}
