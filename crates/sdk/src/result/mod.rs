//! Result archives: fetching one, and proving that it is what the workers agreed on.

mod archive;
mod decrypt;
pub mod keypair;
#[cfg(test)]
mod vectors;
mod verify;

use protocol::{
    deal::{Deal, Task, TaskStatus},
    link::ResultLink,
};

use crate::{Client, Error, error::Api, http::Call};

pub use decrypt::decrypt;
pub use verify::{Proof, verify, verify_opened};

/// Bytes of an archive: the limit of the official client's decryption (spec/client.md §4.8).
const RESULT_BYTES_MAX: usize = 1_000_000_000;

/// Fetches the archive of a completed task and verifies it against the chain.
///
/// # Errors
/// [`Error::NoResult`] when there is none to fetch, [`Error::Api`] from the gateway,
/// [`Error::Unverified`] when the archive is not what the chain says.
pub async fn download(
    client: &Client,
    deal: &Deal,
    task: &Task,
) -> Result<(Vec<u8>, Proof), Error> {
    let location = location(task)?;
    let call = Call::get(Api::IpfsGateway, &client.chain().ipfs_gateway, location);
    let archive = client
        .http()
        .bytes(&call, "application/zip", RESULT_BYTES_MAX)
        .await?;
    let proof = verify(&archive, deal, task)?;
    Ok((archive, proof))
}

fn location(task: &Task) -> Result<String, Error> {
    let none = |reason: String| Err(Error::NoResult { reason });
    if task.status != TaskStatus::Completed {
        return none(format!(
            "the task is {}: there is no result yet",
            task.status.name()
        ));
    }
    let link = ResultLink::from_chain(&task.results);
    match link.cid() {
        Some(cid) => Ok(format!("/ipfs/{cid}")),
        None => none(format!(
            "the result is stored on `{}`, not on ipfs",
            link.storage
        )),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Bytes;

    use super::*;
    use crate::view::tests::sample_task;

    #[test]
    fn only_completed_tasks_on_ipfs_have_an_archive() {
        let active = location(&sample_task(TaskStatus::Active))
            .unwrap_err()
            .to_string();
        assert_eq!(active, "the task is ACTIVE: there is no result yet");
        let mut done = sample_task(TaskStatus::Completed);
        assert!(location(&done).unwrap_err().to_string().contains("`none`"));
        done.results = Bytes::from(ResultLink::ipfs("QmX").to_chain());
        assert_eq!(location(&done).unwrap(), "/ipfs/QmX");
    }
}
