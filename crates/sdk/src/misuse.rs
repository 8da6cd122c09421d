//! Confidential runs that cannot work as they are asked for. They are refused before anything is
//! signed or sent, each with a code for programs, a sentence, and what to do.

use std::fmt;

/// Makes [`Code`] of one table: the variant, the word for programs, the line for the reference.
macro_rules! codes {
    ($($code:ident $word:literal $meaning:literal;)*) => {
        /// Which rule is broken: `error.code` of `--raw`, stable from version to version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// All of them, for the reference.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The code as programs read it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $word,)*
                }
            }

            /// One line for the reference.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$code => $meaning,)*
                }
            }
        }
    };
}

codes! {
    SecretWithoutTee "SECRET_WITHOUT_TEE"
        "secrets of the requester in a run without tag tee,tdx";
    EncryptionWithoutTee "ENCRYPTION_WITHOUT_TEE"
        "a result to be encrypted in a run without tag tee,tdx";
    StorageWithoutTee "STORAGE_WITHOUT_TEE"
        "a storage that needs a token, without tag tee,tdx";
    LegacyTeeTag "LEGACY_TEE_TAG"
        "a tag of Scone or Gramine, which nobody serves any more";
    IncompleteTeeTag "INCOMPLETE_TEE_TAG"
        "a tag that does not name tee and tdx together";
    LegacyEnclaveApp "LEGACY_ENCLAVE_APP"
        "an app made for Scone or Gramine";
    ImageNotPinned "IMAGE_NOT_PINNED"
        "an app without a checksum of its image";
    ImageDigestDiffers "IMAGE_DIGEST_DIFFERS"
        "an app whose checksum is no digest of its image";
    DatasetNotGranted "DATASET_NOT_GRANTED"
        "no dataset order grants the dataset to this run";
    DatasetKeyMissing "DATASET_KEY_MISSING"
        "the key of the dataset is not in the SMS";
    ResultKeyMissing "RESULT_KEY_MISSING"
        "the beneficiary has no key in the SMS";
    RequesterSecretMissing "REQUESTER_SECRET_MISSING"
        "a secret that the run names is not in the SMS";
    StorageTokenMissing "STORAGE_TOKEN_MISSING"
        "the requester's storage token is not in the SMS";
    DatasetNotEncrypted "DATASET_NOT_ENCRYPTED"
        "the dataset's file cannot be an encrypted one";
    DatasetChecksumDiffers "DATASET_CHECKSUM_DIFFERS"
        "the dataset's file is not that of its checksum";
    DatasetNeedsTee "DATASET_NEEDS_TEE"
        "an encrypted dataset in a run without tag tee,tdx";
}

impl Code {
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
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        let is_word = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(codes.iter().all(is_word), "{codes:?}");
    }

    #[test]
    fn the_reference_lists_all_of_them_and_no_other() {
        let page = include_str!("../../../docs/reference/errors.md");
        let sections = page.split("\n## ");
        let section = sections.filter(|section| section.contains("(`error.code`)"));
        let told: Vec<_> = section
            .flat_map(str::lines)
            .filter(|line| line.starts_with("| `"))
            .collect();
        let row = |code: &Code| format!("| `{}` | {} |", code.as_str(), code.meaning());
        let table: Vec<_> = Code::ALL.iter().map(row).collect();
        assert_eq!(told, table);
    }
}
