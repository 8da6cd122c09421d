//! Content-addressed results: CIDs, gateway, upload tokens.
//!
//! A result archive is kept under the CID that IPFS would give it, so a link on chain can be
//! served by this store, by a public gateway or by any IPFS node alike, and whoever downloads it
//! can check it. One router answers three kinds of client:
//! - requesters: the gateway, `GET /ipfs/{cid}`;
//! - the JS SDK: the two calls of an IPFS node that it makes, `POST /api/v0/add` and `…/cat`;
//! - workers: the result proxy under `/v1/results`, guarded by a [`Gate`].
//!
//! ```
//! let cid = store::cid_of(b"hello world\n");
//! assert_eq!(cid, "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o");
//! ```

pub mod backend;
pub mod cid;
mod error;
pub mod gate;
mod http;
mod index;
mod service;
mod staging;
mod token;
pub mod unixfs;

pub use cid::Cid;
pub use error::Error;
pub use gate::{ChainGate, Gate};
pub use http::RESULT_JSON_BYTES_MAX;
pub use index::UPLOADS_MAX;
pub use service::{CAPACITY_BYTES, Config, Handle, RESULT_BYTES_MAX, Service};

/// The CID of `bytes` as `ipfs add` would print it: what a result link on chain says.
pub fn cid_of(bytes: &[u8]) -> String {
    let mut importer = unixfs::Importer::new(unixfs::Profile::DEFAULT);
    importer.write(bytes);
    importer.finish().cid.to_string()
}
