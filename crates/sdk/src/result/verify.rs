//! Recomputing the digest of an archive and comparing it with the chain (design.md §3).

use protocol::{
    B256,
    cipher::{KEY_ENTRY, PAYLOAD_ENTRY},
    computed::{self, ComputedFile},
    deal::{Deal, Task},
    digest,
    params::DealParams,
};

use super::archive::{Archive, Member};
use crate::Error;

/// What a comparison showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The archive holds exactly what the workers agreed on.
    Verified,
    /// As verified, but what they agreed on is that the app could not run (`error.txt`).
    FailureReport,
    /// The archive is encrypted for the beneficiary: decrypt it first.
    Encrypted,
}

/// Bytes of computed.json.
const COMPUTED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Compares an archive with the consensus on chain, as it was stored: one that the deal had
/// encrypted proves nothing before it is opened.
///
/// # Errors
/// [`Error::Unverified`] with the reason.
pub fn verify(archive: &[u8], deal: &Deal, task: &Task) -> Result<Proof, Error> {
    match is_encrypted(archive, deal)? {
        true => Ok(Proof::Encrypted),
        false => verify_opened(archive, deal, task),
    }
}

/// What only the deal and the archive tell together: an app may write files of any name.
fn is_encrypted(archive: &[u8], deal: &Deal) -> Result<bool, Error> {
    let params = DealParams::from_chain(&deal.params);
    if !deal.tag.is_tee() || params.iexec_result_encryption != Some(true) {
        return Ok(false);
    }
    let members = Archive::open(archive).and_then(|mut archive| archive.members());
    let members = members.map_err(|reason| Error::Unverified { reason })?;
    let has = |name| at_root(&members, name).is_some();
    Ok(has(KEY_ENTRY) && has(PAYLOAD_ENTRY))
}

/// Compares what was decrypted with the consensus on chain. Whatever is in it, it is never taken
/// for encrypted once more: anybody can encrypt anything for a beneficiary.
///
/// # Errors
/// [`Error::Unverified`] with the reason.
pub fn verify_opened(opened: &[u8], deal: &Deal, task: &Task) -> Result<Proof, Error> {
    let unverified = |reason: String| Error::Unverified { reason };
    let mut archive = Archive::open(opened).map_err(unverified)?;
    let members = archive.members().map_err(unverified)?;
    let candidates = digests(&mut archive, &members, deal.has_callback()).map_err(unverified)?;
    let agreed = |digest: &B256| {
        digest::result_hash(task.id, *digest) == task.consensus_value
            && (task.result_digest.is_zero() || task.result_digest == *digest)
    };
    match candidates.iter().any(agreed) {
        true if is_failure_report(&mut archive, &members) => Ok(Proof::FailureReport),
        true => Ok(Proof::Verified),
        false => Err(unverified(format!(
            "its digest is {}, the chain says {}",
            candidates.first().copied().unwrap_or_default(),
            task.result_digest
        ))),
    }
}

/// The digests that the archive may stand for.
///
/// A worker adds stdout.txt and stderr.txt to every archive, after the digest was computed; empty
/// ones do not tell whether the app had written them itself.
fn digests(
    archive: &mut Archive<'_>,
    members: &[Member],
    has_callback: bool,
) -> Result<Vec<B256>, String> {
    let file = at_root(members, computed::FILE_NAME).ok_or("it has no computed.json")?;
    let content = archive.content(file, COMPUTED_BYTES_MAX)?;
    let computed = ComputedFile::parse(&content).map_err(|e| format!("computed.json: {e}"))?;
    if has_callback {
        let data = computed
            .callback_bytes()
            .ok_or("computed.json has no callback-data")?;
        return Ok(vec![digest::callback(&data)]);
    }
    let wanted = computed.relative_path().map_err(|e| e.to_string())?;
    if let Some(file) = members.iter().find(|member| member.path == wanted) {
        return Ok(vec![archive.sha256(file)?]);
    }
    let mut files = Vec::new();
    for member in members.iter().filter(|member| is_child(member, &wanted)) {
        let name = member.path.last().cloned().unwrap_or_default();
        files.push((name, archive.sha256(member)?));
    }
    if files.is_empty() {
        return Err(format!("it has no `{}`", wanted.join("/")));
    }
    let all = digest::folder(files.clone());
    if !wanted.is_empty() {
        return Ok(vec![all]);
    }
    let without = |names: &[&str]| {
        let is_added = |(name, hash): &(String, B256)| {
            names.contains(&name.as_str()) && *hash == digest::file(b"")
        };
        digest::folder(files.iter().filter(|file| !is_added(file)).cloned())
    };
    let (out, err) = (computed::STDOUT, computed::STDERR);
    Ok(vec![
        all,
        without(&[out, err]),
        without(&[err]),
        without(&[out]),
    ])
}

/// Whether the worker wrote the result in place of an app that could not start.
fn is_failure_report(archive: &mut Archive<'_>, members: &[Member]) -> bool {
    let mut content = |name| {
        archive
            .content(at_root(members, name)?, COMPUTED_BYTES_MAX)
            .ok()
    };
    let names_it = content(computed::FILE_NAME)
        .and_then(|json| ComputedFile::parse(&json).ok())
        .is_some_and(|file| file.relative_path() == Ok(vec![computed::ERROR_FILE]));
    names_it && content(computed::ERROR_FILE).is_some_and(|text| text.starts_with(b"[IEXEC] "))
}

pub(super) fn at_root<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.path == [name])
}

fn is_child(member: &Member, folder: &[&str]) -> bool {
    member.path.len() == folder.len() + 1 && member.path.iter().zip(folder).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use protocol::{Address, Tag, deal::TaskStatus};
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;
    use crate::view::tests::{sample_deal, sample_task};

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn agreed_on(digest: B256) -> Task {
        let mut task = sample_task(TaskStatus::Completed);
        task.consensus_value = digest::result_hash(task.id, digest);
        task.result_digest = digest;
        task
    }

    fn names(path: &str) -> String {
        format!(r#"{{"deterministic-output-path":"{path}"}}"#)
    }

    #[test]
    fn a_file_is_verified_and_tampering_found() {
        let computed = names("/iexec_out/result.txt");
        let archive = |text| {
            zip(&[
                ("computed.json", &computed),
                ("result.txt", text),
                ("stdout.txt", "x"),
            ])
        };
        let task = agreed_on(digest::file(b"hello"));
        assert_eq!(
            verify(&archive("hello"), &sample_deal(), &task).unwrap(),
            Proof::Verified
        );
        let error = verify(&archive("hellO"), &sample_deal(), &task).unwrap_err();
        assert!(
            error.to_string().contains(&task.result_digest.to_string()),
            "{error}"
        );
        let mut other = task.clone();
        other.id = protocol::TaskId::repeat(9);
        assert!(verify(&archive("hello"), &sample_deal(), &other).is_err());
    }

    #[test]
    fn a_folder_counts_its_direct_files_only() {
        let files = [
            ("computed.json", names("/iexec_out/out/")),
            ("out/b", "2".to_owned()),
            ("out/a", "1".to_owned()),
            ("out/deep/c", "3".to_owned()),
        ];
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let digest = digest::folder([("a", digest::file(b"1")), ("b", digest::file(b"2"))]);
        let proof = verify(&zip(&files), &sample_deal(), &agreed_on(digest));
        assert_eq!(proof.unwrap(), Proof::Verified);
    }

    #[test]
    fn empty_outputs_may_or_may_not_count() {
        let computed = names("/iexec_out");
        let archive = zip(&[
            ("computed.json", &computed),
            ("stdout.txt", "said"),
            ("stderr.txt", ""),
        ]);
        let json = ("computed.json", digest::file(computed.as_bytes()));
        let (out, err) = (
            ("stdout.txt", digest::file(b"said")),
            ("stderr.txt", digest::file(b"")),
        );
        for counted in [vec![json, out, err], vec![json, out]] {
            let task = agreed_on(digest::folder(counted));
            assert!(verify(&archive, &sample_deal(), &task).is_ok());
        }
        let task = agreed_on(digest::folder([json]));
        assert!(
            verify(&archive, &sample_deal(), &task).is_err(),
            "stdout.txt is not empty"
        );
    }

    #[test]
    fn a_callback_is_verified_by_its_data() {
        let mut deal = sample_deal();
        deal.callback = Address::repeat_byte(1);
        let archive = zip(&[("computed.json", r#"{"callback-data":"0x0102"}"#)]);
        assert!(verify(&archive, &deal, &agreed_on(digest::callback(&[1, 2]))).is_ok());
        assert!(verify(&archive, &deal, &agreed_on(digest::callback(&[1]))).is_err());
    }

    #[test]
    fn a_report_of_a_failure_is_told_apart() {
        let cause = protocol::Cause::InputFilesDownloadFailed;
        let text = computed::error_text("DATA_DOWNLOAD_FAILED", cause);
        let computed = names("/iexec_out/error.txt");
        let task = agreed_on(digest::file(text.as_bytes()));
        let archive = zip(&[("computed.json", &computed), ("error.txt", &text)]);
        assert_eq!(
            verify(&archive, &sample_deal(), &task).unwrap(),
            Proof::FailureReport
        );
    }

    #[test]
    fn hostile_archives_are_refused() {
        let (deal, task) = (sample_deal(), agreed_on(B256::ZERO));
        let error = |bytes: &[u8]| verify(bytes, &deal, &task).unwrap_err().to_string();
        assert!(error(b"not a zip").contains("not a zip"));
        assert!(error(&zip(&[("a", "b")])).contains("no computed.json"));
        let computed = names("/iexec_out/missing");
        assert!(error(&zip(&[("computed.json", &computed)])).contains("missing"));
        let computed = names("/etc/passwd");
        assert!(error(&zip(&[("computed.json", &computed)])).contains("not inside"));
    }

    /// A deal that asked for an encrypted result.
    fn secret_deal() -> Deal {
        let mut deal = sample_deal();
        deal.tag = Tag::TEE_TDX;
        let params = DealParams {
            iexec_result_encryption: Some(true),
            ..DealParams::default()
        };
        deal.params = params.to_text();
        deal
    }

    #[test]
    fn encrypted_archives_are_told_apart() {
        let archive = zip(&[(KEY_ENTRY, "k"), (PAYLOAD_ENTRY, "p")]);
        let task = agreed_on(B256::ZERO);
        assert_eq!(
            verify(&archive, &secret_deal(), &task).unwrap(),
            Proof::Encrypted
        );
        assert!(verify(&archive, &sample_deal(), &task).is_err());
        assert!(verify_opened(&archive, &secret_deal(), &task).is_err());
    }

    #[test]
    fn an_app_may_write_a_file_that_is_called_as_the_payload() {
        let computed = names("/iexec_out/result.txt");
        let archive = |text| {
            zip(&[
                ("computed.json", &computed),
                (KEY_ENTRY, "k"),
                (PAYLOAD_ENTRY, "p"),
                ("result.txt", text),
            ])
        };
        let task = agreed_on(digest::file(b"hello"));
        let mut open_deal = secret_deal();
        open_deal.params = "{}".to_owned();
        for (judge, deal) in [(verify_opened as Judge, secret_deal()), (verify, open_deal)] {
            let proof = judge(&archive("hello"), &deal, &task);
            assert_eq!(proof.unwrap(), Proof::Verified);
            assert!(judge(&archive("hellO"), &deal, &task).is_err());
        }
    }

    type Judge = fn(&[u8], &Deal, &Task) -> Result<Proof, Error>;
}
