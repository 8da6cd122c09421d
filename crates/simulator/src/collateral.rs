//! What the maker publishes, in the form of Intel's service for it.

use attest::Collateral;
use dcap_qvl::QuoteCollateralV3;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    chain::{self, Chain},
    machine::FMSPC,
    quote::{ISV_SVN, QE_SIGNER},
};

const DAY_S: u64 = 86_400;
/// As long as Intel's.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is published on the day of `now`: the same all day.
pub(crate) fn publish(chain: &Chain, now: u64) -> Collateral {
    let midnight = i64::try_from(now - now % DAY_S).unwrap_or_default();
    let from = Timestamp::from_second(midnight).unwrap_or_default();
    let until = from.checked_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
    let signers = chain::pem(&[&chain.signer, &chain.root]);
    let tcb_info = platform_data(from, until).to_string();
    let qe_identity = quoting_enclave(from, until).to_string();
    QuoteCollateralV3 {
        pck_crl_issuer_chain: chain::pem(&[&chain.pck_ca, &chain.root]),
        root_ca_crl: chain::revocations(chain::ROOT, &chain.root_key, from, until),
        pck_crl: chain::revocations(chain::PCK_CA, &chain.pck_ca_key, from, until),
        tcb_info_issuer_chain: signers.clone(),
        tcb_info_signature: chain.signer_key.sign(tcb_info.as_bytes()).to_vec(),
        tcb_info,
        qe_identity_issuer_chain: signers,
        qe_identity_signature: chain.signer_key.sign(qe_identity.as_bytes()).to_vec(),
        qe_identity,
        pck_certificate_chain: None,
    }
    .into()
}

/// To the second, as Intel writes it.
fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn good(tcb: &Json, from: Timestamp) -> Json {
    json!([{ "tcb": tcb, "tcbDate": date(from), "tcbStatus": "UpToDate" }])
}

/// One level of machines, which is the newest.
fn platform_data(from: Timestamp, until: Timestamp) -> Json {
    let [none48, none8] = ["00".repeat(48), "00".repeat(8)];
    let level = json!({
        "sgxtcbcomponents": vec![json!({ "svn": 1 }); 16],
        "pcesvn": 1,
        "tdxtcbcomponents": vec![json!({ "svn": 0 }); 16],
    });
    json!({
        "id": "TDX",
        "version": 3,
        "issueDate": date(from),
        "nextUpdate": date(until),
        "fmspc": hex::encode_upper(FMSPC),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": 1,
        "tdxModule": {
            "mrsigner": none48,
            "attributes": none8,
            "attributesMask": "FF".repeat(8),
        },
        "tdxModuleIdentities": [{
            "id": "TDX_01",
            "mrsigner": none48,
            "attributes": none8,
            "attributesMask": "FF".repeat(8),
            "tcbLevels": good(&json!({ "isvsvn": 1 }), from),
        }],
        "tcbLevels": good(&level, from),
    })
}

fn quoting_enclave(from: Timestamp, until: Timestamp) -> Json {
    json!({
        "id": "TD_QE",
        "version": 2,
        "issueDate": date(from),
        "nextUpdate": date(until),
        "tcbEvaluationDataNumber": 1,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex::encode_upper(QE_SIGNER),
        "isvprodid": 2,
        "tcbLevels": good(&json!({ "isvsvn": ISV_SVN }), from),
    })
}
