//! Why a replicate or a task failed: one official code, one sentence, one hint.
//!
//! The codes are those of the official scheduler (spec/pool-worker.md §1.7), because explorers
//! and dashboards know them; sentence and hint are ours. Codes that begin with
//! `TEE_SESSION_GENERATION_` carry what the secret manager says (spec/secrets-tee.md §1.4).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! causes {
    ($($variant:ident $code:literal $sentence:literal $hint:literal;)*) => {
        /// The official failure code.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Cause {
            $(#[doc = $sentence] $variant,)*
        }

        impl Cause {
            /// Every cause, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The official code, as in the pool's API.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What happened, in one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What to do about it, in one sentence.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }
    };
}

causes! {
    ChainUnreachable "CHAIN_UNREACHABLE" "the worker could not reach the chain"
        "nothing to change in the app; run it again";
    StakeTooLow "STAKE_TOO_LOW" "the worker's deposit is below the stake of the deal"
        "the worker's operator has to deposit RLC";
    OutOfGas "OUT_OF_GAS" "the worker's wallet has no gas left"
        "the worker's operator has to send gas to its wallet";
    TaskNotActive "TASK_NOT_ACTIVE" "the task is not active on chain"
        "it may be finished or past its deadline; see `iexec task show`";
    TaskDescriptionInvalid "TASK_DESCRIPTION_INVALID"
        "the deal asks for something a standard task cannot do"
        "encrypted results and secrets need the tag tee,tdx";
    TaskDescriptionNotFound "TASK_DESCRIPTION_NOT_FOUND" "the deal could not be read from the chain"
        "nothing to change in the app; run it again";
    ContributionAlreadySet "CONTRIBUTION_ALREADY_SET" "this worker had contributed already"
        "nothing to do: the first contribution counts";
    ConsensusReached "CONSENSUS_REACHED" "the other workers agreed on another result"
        "make the deterministic output depend on the inputs only; `iexec app test` checks it";
    ChainReceiptNotValid "CHAIN_RECEIPT_NOT_VALID"
        "the worker's transaction was not mined as expected"
        "nothing to change in the app; run it again";
    AppImageDownloadFailed "APP_IMAGE_DOWNLOAD_FAILED"
        "the app's image could not be pulled with the digest that stands on chain"
        "check that the image is public and that `checksum` in iexec.json is its digest";
    InputFilesDownloadFailed "INPUT_FILES_DOWNLOAD_FAILED" "an input file could not be downloaded"
        "check that every URL of --input-files answers 200 to anybody";
    DatasetFileDownloadFailed "DATASET_FILE_DOWNLOAD_FAILED" "the dataset could not be downloaded"
        "check the multiaddr of the dataset";
    DatasetFileBadChecksum "DATASET_FILE_BAD_CHECKSUM"
        "the downloaded dataset does not have the checksum that stands on chain"
        "deploy the dataset again with the checksum of the file it points to";
    AppNotFoundLocally "APP_NOT_FOUND_LOCALLY" "the app's image vanished before it could run"
        "nothing to change in the app; run it again";
    AppComputeFailed "APP_COMPUTE_FAILED" "the app ended with an exit code other than 0"
        "read its output with `iexec task debug <taskid> --logs`";
    AppComputeTimeout "APP_COMPUTE_TIMEOUT" "the app ran longer than the category allows"
        "choose a larger category, or give each task less to do";
    PreImageMissing "PRE_COMPUTE_IMAGE_MISSING"
        "the program that prepares the inputs could not be pulled"
        "nothing to change in the app; the secret manager's operator has to check the image";
    PreTaskIdMissing "PRE_COMPUTE_TASK_ID_MISSING"
        "the program that prepares the inputs was not told the task"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreExitReportingFailed "PRE_COMPUTE_EXIT_REPORTING_FAILED"
        "the program that prepares the inputs failed and could not tell why"
        "nothing to change in the app; run it again";
    PreTimeout "PRE_COMPUTE_TIMEOUT" "the inputs were not prepared in time"
        "give the task fewer or smaller inputs, or run it again";
    PreWorkerAddressMissing "PRE_COMPUTE_WORKER_ADDRESS_MISSING"
        "the program that prepares the inputs was not told the worker"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreSigningKeyMissing "PRE_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING"
        "the program that prepares the inputs has no key to sign with"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreInvalidTeeSignature "PRE_COMPUTE_INVALID_TEE_SIGNATURE"
        "the program that prepares the inputs could not sign with the enclave's key"
        "pool and worker have to use the same secret manager, with its data kept";
    PreOutputPathMissing "PRE_COMPUTE_OUTPUT_PATH_MISSING"
        "the task's session does not say where inputs go"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreIsDatasetRequiredMissing "PRE_COMPUTE_IS_DATASET_REQUIRED_MISSING"
        "the task's session does not say whether there is a dataset"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreDatasetUrlMissing "PRE_COMPUTE_DATASET_URL_MISSING"
        "the task's session does not say where a dataset is" "check the multiaddr of the dataset";
    PreDatasetKeyMissing "PRE_COMPUTE_DATASET_KEY_MISSING"
        "the task's session has no key for a dataset"
        "its owner has to push it: `iexec dataset push-secret`";
    PreDatasetChecksumMissing "PRE_COMPUTE_DATASET_CHECKSUM_MISSING"
        "the task's session has no checksum for a dataset"
        "deploy the dataset with the checksum of its encrypted file";
    PreDatasetFilenameMissing "PRE_COMPUTE_DATASET_FILENAME_MISSING"
        "the task's session has no file name for a dataset"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreInputFilesNumberMissing "PRE_COMPUTE_INPUT_FILES_NUMBER_MISSING"
        "the task's session does not say how many input files there are"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreInputFileUrlMissing "PRE_COMPUTE_AT_LEAST_ONE_INPUT_FILE_URL_MISSING"
        "the task's session lacks the URL of an input file"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PreOutputFolderNotFound "PRE_COMPUTE_OUTPUT_FOLDER_NOT_FOUND"
        "the enclave has no folder for the inputs"
        "nothing to change in the app; the worker's operator has to check its disk";
    PreDatasetDownloadFailed "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED"
        "the enclave could not download a dataset" "check the multiaddr of the dataset";
    PreInvalidDatasetChecksum "PRE_COMPUTE_INVALID_DATASET_CHECKSUM"
        "the downloaded dataset does not have the checksum that stands on chain"
        "deploy the dataset again with the checksum of the encrypted file it points to";
    PreDatasetDecryptionFailed "PRE_COMPUTE_DATASET_DECRYPTION_FAILED"
        "a dataset could not be decrypted with the key in the secret manager"
        "deploy it again and push the key that it was encrypted with";
    PreSavingPlainDatasetFailed "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED"
        "a decrypted dataset could not be written"
        "nothing to change in the app; the worker may lack memory or disk";
    PreInputFileDownloadFailed "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED"
        "the enclave could not download an input file"
        "check that every URL of --input-files answers 200 to anybody";
    PreComputeUnknown "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE" "the inputs could not be prepared"
        "nothing to change in the app; run it again";
    PostImageMissing "POST_COMPUTE_IMAGE_MISSING"
        "the program that closes the result could not be pulled"
        "nothing to change in the app; the secret manager's operator has to check the image";
    PostTaskIdMissing "POST_COMPUTE_TASK_ID_MISSING" "the task's session does not name the task"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PostExitReportingFailed "POST_COMPUTE_EXIT_REPORTING_FAILED"
        "the program that closes the result failed and could not tell why"
        "nothing to change in the app; run it again";
    PostTimeout "POST_COMPUTE_TIMEOUT" "the result was not closed in time"
        "write less to IEXEC_OUT, or run it again";
    PostWorkerAddressMissing "POST_COMPUTE_WORKER_ADDRESS_MISSING"
        "the task's session does not name the worker"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PostSigningKeyMissing "POST_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING"
        "the task's session has no key to sign the result with"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PostInvalidTeeSignature "POST_COMPUTE_INVALID_TEE_SIGNATURE"
        "the result could not be signed with the enclave's key"
        "pool and worker have to use the same secret manager, with its data kept";
    PostEncryptionKeyMissing "POST_COMPUTE_ENCRYPTION_PUBLIC_KEY_MISSING"
        "the task's session has no key to encrypt the result for"
        "the beneficiary has to push one: `iexec result push-encryption-key`";
    PostMalformedEncryptionKey "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY"
        "the beneficiary's key is no RSA public key"
        "push a new one: `iexec result push-encryption-key --force-update`";
    PostEncryptionFailed "POST_COMPUTE_ENCRYPTION_FAILED" "the result could not be encrypted"
        "nothing to change in the app; the worker may lack memory or disk";
    PostStorageTokenMissing "POST_COMPUTE_STORAGE_TOKEN_MISSING"
        "the task's session has no token to store the result with"
        "nothing to change in the app; the secret manager's operator has to check its version";
    PostResultFileNotFound "POST_COMPUTE_RESULT_FILE_NOT_FOUND"
        "a file of the result was gone when it was to be stored"
        "leave what the app wrote in IEXEC_OUT where it is";
    DropboxUploadFailed "POST_COMPUTE_DROPBOX_UPLOAD_FAILED"
        "the result could not be stored at Dropbox"
        "store it with ipfs: enclaves here do not speak to Dropbox";
    ComputedFileNotFound "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND"
        "the app did not write a readable computed.json in IEXEC_OUT"
        "write {\"deterministic-output-path\": \"<path in IEXEC_OUT>\"} to computed.json";
    ResultDigestComputationFailed "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED"
        "the digest of the deterministic output could not be computed"
        "deterministic-output-path must name a file or folder inside IEXEC_OUT";
    OutFolderZipFailed "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED"
        "the output folder could not be archived"
        "write regular files only, within the size limit of the worker";
    TooLongResultFileName "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME"
        "a file name in IEXEC_OUT is longer than 31 characters"
        "shorten the names of the files that the app writes";
    PostIpfsUploadFailed "POST_COMPUTE_IPFS_UPLOAD_FAILED"
        "the archive of the result was not handed over for its upload"
        "nothing to change in the app; run it again";
    SendComputedFileFailed "POST_COMPUTE_SEND_COMPUTED_FILE_FAILED"
        "computed.json could not be handed over" "check that the app writes it once, as a file";
    PostComputeUnknown "POST_COMPUTE_FAILED_UNKNOWN_ISSUE" "the result could not be prepared"
        "nothing to change in the app; run it again";
    TeeNotSupported "TEE_NOT_SUPPORTED" "the pool has no worker that can run confidential tasks"
        "run it without the tag tee,tdx, or on a workerpool that offers it";
    TeePreparationFailed "TEE_PREPARATION_FAILED" "the confidential task could not be prepared"
        "nothing to change in the app; the message says which step is missing";
    UnknownSms "UNKNOWN_SMS" "the workerpool's secret manager gave no key for the task's enclave"
        "the pool's operator has to check the secret manager; claim the task later";
    SessionInvalidAuthorization "TEE_SESSION_GENERATION_INVALID_AUTHORIZATION"
        "the secret manager did not recognise the worker's signature"
        "the worker's operator has to run it with the wallet it is known by";
    SessionEmptyParams "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_EMPTY_PARAMS_UNAUTHORIZED"
        "the secret manager was not told which task it is about"
        "the pool's operator has to check the version of the workers";
    SessionNoMatchOnchainType
        "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE"
        "the deal's tag is not the framework of the secret manager" "use the tag tee,tdx";
    SessionGetChainTaskFailed
        "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_GET_CHAIN_TASK_FAILED"
        "the secret manager could not read the task from the chain"
        "nothing to change in the app; run it again";
    SessionTaskNotActive "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_TASK_NOT_ACTIVE"
        "the task is not active on chain, says the secret manager"
        "it may be finished or past its deadline; see `iexec task show`";
    SessionGetChainDealFailed
        "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_GET_CHAIN_DEAL_FAILED"
        "the secret manager could not read the deal from the chain"
        "nothing to change in the app; run it again";
    SessionInvalidSignature "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE"
        "the authorization does not fit the deal's workerpool or the task's enclave key"
        "the pool's operator has to run it with the workerpool owner's wallet";
    SessionEmptyWorkerAddress
        "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_WORKER_ADDRESS"
        "the secret manager was not told which worker it is"
        "the pool's operator has to check the version of the workers";
    SessionEmptyEnclaveChallenge
        "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_PUBLIC_ENCLAVE_CHALLENGE"
        "the authorization names no enclave key"
        "the pool's operator has to check that the pool knows its secret manager";
    SessionEmptyTeeChallenge
        "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE"
        "the secret manager has no enclave key for the task"
        "pool and workers have to use the same secret manager, with its data kept";
    SessionEmptyTeeCredentials
        "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CREDENTIALS"
        "the enclave key of the task cannot be read by the secret manager"
        "the operator of the secret manager has to check its data and its key file";
    SessionDatasetSecretFailed "TEE_SESSION_GENERATION_PRE_COMPUTE_GET_DATASET_SECRET_FAILED"
        "the secret manager has no key for the dataset"
        "its owner has to push it: `iexec dataset push-secret`";
    SessionNoEnclaveConfig "TEE_SESSION_GENERATION_APP_COMPUTE_NO_ENCLAVE_CONFIG"
        "the app names no enclave" "deploy the app for the framework of the tag";
    SessionInvalidEnclaveConfig "TEE_SESSION_GENERATION_APP_COMPUTE_INVALID_ENCLAVE_CONFIG"
        "the app's enclave cannot be understood" "an app for tee,tdx has an empty mrenclave";
    SessionEmptyBeneficiaryKey
        "TEE_SESSION_GENERATION_POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY"
        "the beneficiary has no key to encrypt the result for"
        "push one: `iexec result push-encryption-key`";
    SessionStorageTokensFailed
        "TEE_SESSION_GENERATION_POST_COMPUTE_GET_STORAGE_TOKENS_FAILED"
        "there is no token to store the result with"
        "for dropbox, the requester has to push one: `iexec storage init dropbox`";
    SessionStorageCallFailed "TEE_SESSION_GENERATION_SECURE_SESSION_STORAGE_CALL_FAILED"
        "the secret manager could not keep the session"
        "nothing to change in the app; run it again";
    SessionGenerationFailed "TEE_SESSION_GENERATION_SECURE_SESSION_GENERATION_FAILED"
        "the secret manager could not make the session"
        "nothing to change in the app; its operator has to read its log";
    SessionNoTeeFramework "TEE_SESSION_GENERATION_SECURE_SESSION_NO_TEE_FRAMEWORK"
        "the secret manager serves no enclaves" "the pool's operator has to configure one";
    SessionGetTaskDescriptionFailed "TEE_SESSION_GENERATION_GET_TASK_DESCRIPTION_FAILED"
        "the secret manager could not read what the task consists of"
        "check that app and dataset are deployed; for a bulk, the message says what is wrong";
    SessionNoSessionRequest "TEE_SESSION_GENERATION_NO_SESSION_REQUEST"
        "the secret manager got an empty request" "nothing to change in the app; run it again";
    SessionNoTaskDescription "TEE_SESSION_GENERATION_NO_TASK_DESCRIPTION"
        "the secret manager got no task" "nothing to change in the app; run it again";
    SessionUnknownIssue "TEE_SESSION_GENERATION_UNKNOWN_ISSUE"
        "the secret manager gave no session and no reason that we know"
        "nothing to change in the app; the worker's operator has to check the secret manager";
    DeterminismHashNotFound "DETERMINISM_HASH_NOT_FOUND"
        "there is no digest to contribute: computed.json or the output it names is missing"
        "write computed.json and the file it names; `iexec app test` shows what is wrong";
    EnclaveSignatureNotFound "ENCLAVE_SIGNATURE_NOT_FOUND"
        "the enclave ended without signing a result" "nothing to change in the app; run it again";
    WorkerpoolAuthorizationNotFound "WORKERPOOL_AUTHORIZATION_NOT_FOUND"
        "the workerpool's authorization is missing or not signed by its owner"
        "the pool's operator has to run it with the workerpool owner's wallet";
    ResultLinkMissing "RESULT_LINK_MISSING" "the result could not be uploaded"
        "nothing to change in the app; run it again";
    TrustNot1 "TRUST_NOT_1" "the deal asks for more trust than one worker gives"
        "choose a workerpool that offers this trust";
    TaskAlreadyContributed "TASK_ALREADY_CONTRIBUTED" "another worker contributed first"
        "nothing to do: its contribution counts";
    ContributionTimeout "CONTRIBUTION_TIMEOUT" "no result was contributed before the deadline"
        "claim the task to get the payment back: `iexec task claim <taskid>`";
    RevealTimeout "REVEAL_TIMEOUT" "no result was revealed before the deadline"
        "claim the task after its final deadline";
    CannotReveal "CANNOT_REVEAL" "the contribution cannot be revealed any more"
        "claim the task after its final deadline";
    AbortedByWorker "ABORTED_BY_WORKER" "the worker's operator stopped it"
        "nothing to change in the app; run it again";
    Unknown "UNKNOWN" "no cause was given" "see the pool's log";
}

/// What the official worker puts before an error of the secret manager.
const SESSION: &str = "TEE_SESSION_GENERATION_";

impl Cause {
    /// The secret manager's own word for a cause of a failed session, e.g. `INVALID_AUTHORIZATION`.
    pub fn session_error(self) -> Option<&'static str> {
        self.code().strip_prefix(SESSION)
    }

    /// The cause for the secret manager's word; one that we do not know is
    /// [`Cause::SessionUnknownIssue`].
    pub fn from_session_error(word: &str) -> Self {
        match format!("{SESSION}{word}").parse() {
            Ok(Self::Unknown) | Err(_) => Self::SessionUnknownIssue,
            Ok(cause) => cause,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Cause {
    type Err = std::convert::Infallible;

    /// A code from elsewhere that we have no sentence for is [`Cause::Unknown`].
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|cause| cause.code() == code);
        Ok(known.copied().unwrap_or(Self::Unknown))
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        Ok(code.parse().unwrap_or(Self::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        let codes: HashSet<_> = Cause::ALL.iter().map(|c| c.code()).collect();
        assert_eq!(codes.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert_eq!(cause.code().parse(), Ok(*cause));
            assert!(!cause.hint().is_empty() && !cause.sentence().ends_with('.'));
        }
        assert_eq!("SOMETHING_NEW".parse(), Ok(Cause::Unknown));
    }

    /// The whole enum of spec/secrets-tee.md §1.4.
    #[test]
    fn every_word_of_the_secret_manager_is_known() {
        let words: HashSet<_> = Cause::ALL
            .iter()
            .filter_map(|c| c.session_error())
            .collect();
        assert_eq!(words.len(), 23);
        for word in words {
            let cause = Cause::from_session_error(word);
            assert_eq!(cause.session_error(), Some(word));
        }
        let cause = Cause::from_session_error("SOMETHING_NEW");
        assert_eq!(cause, Cause::SessionUnknownIssue);
        assert_eq!(Cause::AppComputeFailed.session_error(), None);
    }
}
