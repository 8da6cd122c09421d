//! spec/secrets-tee.md §6.3, G13: whatever is done to the log shows.

use std::{fs, io::Write};

use super::*;

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("audit.jsonl")
    }

    fn open(&self) -> Result<Log, Error> {
        Log::open(self.path())
    }

    async fn filled(count: u64) -> (Self, Head) {
        let scene = Self::new();
        let log = scene.open().unwrap();
        for task in 0..count {
            log.append(entry(task)).await.unwrap();
        }
        let head = log.head();
        assert_eq!(head.entries, count);
        (scene, head)
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path()).unwrap();
        text.lines().map(|line| format!("{line}\n")).collect()
    }

    fn verify(&self, known: Option<Head>) -> Result<Head, Broken> {
        verify(&self.path(), known).map_err(|error| match error {
            Error::Audit { source, .. } => source,
            other => panic!("{other}"),
        })
    }
}

fn entry(task: u64) -> Entry {
    Entry::new("0xab", "session.redeem", Decision::Refused)
        .id("task", task.to_string())
        .reason("NONCE")
        .measurement("mrtd", "00")
        .request("r")
}

#[tokio::test]
async fn a_line_tells_what_happened() {
    let (scene, head) = Scene::filled(1).await;
    let line: serde_json::Value = serde_json::from_str(&scene.lines()[0]).unwrap();
    assert_eq!(line["seq"], 1);
    assert_eq!(line["previous"], "0".repeat(64));
    assert_eq!(line["hash"], hex::encode(head.hash));
    let told = serde_json::json!({
        "actor": "0xab", "action": "session.redeem", "ids": { "task": "0" },
        "decision": "refused", "reason": "NONCE", "measurements": { "mrtd": "00" },
        "request": "r",
    });
    assert_eq!(line["entry"], told);
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let (scene, first) = Scene::filled(3).await;
    let log = scene.open().unwrap();
    assert_eq!(log.head(), first);
    log.append(entry(9)).await.unwrap();
    assert_eq!(scene.verify(Some(first)), Ok(log.head()));
}

#[tokio::test]
async fn many_at_once_are_all_there() {
    let scene = Scene::new();
    let log = scene.open().unwrap();
    let all = futures_util::future::join_all((0..200).map(|task| log.append(entry(task)))).await;
    assert!(all.into_iter().all(|one| one.is_ok()));
    assert_eq!(scene.verify(None).unwrap().entries, 200);
}

#[tokio::test]
async fn two_that_share_a_file_make_one_chain() {
    let scene = Scene::new();
    let logs = [scene.open().unwrap(), scene.open().unwrap()];
    for task in 0..10 {
        logs[task as usize % 2].append(entry(task)).await.unwrap();
    }
    assert_eq!(scene.verify(None), Ok(logs[1].head()));
    assert_eq!(logs[1].head().entries, 10);
}

#[tokio::test]
async fn every_changed_bit_shows() {
    let (scene, head) = Scene::filled(3).await;
    let good = fs::read(scene.path()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(scene.path(), bad).unwrap();
        assert!(scene.verify(Some(head)).is_err(), "byte {at}");
    }
}

#[tokio::test]
async fn removal_and_order_show() {
    let (scene, _) = Scene::filled(4).await;
    let lines = scene.lines();
    for (kept, broken) in [
        (vec![1, 2, 3], Broken::Order(1)),
        (vec![0, 2, 3], Broken::Order(2)),
        (vec![0, 2, 1, 3], Broken::Order(2)),
        (vec![0, 0, 1], Broken::Order(2)),
    ] {
        let text: String = kept.iter().map(|line| lines[*line].as_str()).collect();
        fs::write(scene.path(), text).unwrap();
        assert_eq!(scene.verify(None), Err(broken.clone()));
        let opened = scene.open().err().unwrap();
        assert!(matches!(opened, Error::Audit { source, .. } if source == broken));
    }
}

#[tokio::test]
async fn a_cut_shows_to_who_knows_a_head() {
    let (scene, head) = Scene::filled(4).await;
    fs::write(scene.path(), scene.lines()[..2].concat()).unwrap();
    let cut = Broken::Cut { found: 2, known: 4 };
    assert_eq!(scene.verify(Some(head)), Err(cut));
    assert_eq!(scene.verify(None).unwrap().entries, 2);
    let log = scene.open().unwrap();
    log.append(entry(8)).await.unwrap();
    log.append(entry(9)).await.unwrap();
    assert_eq!(scene.verify(Some(head)), Err(Broken::Other(4)));
}

#[tokio::test]
async fn a_log_that_is_cut_under_us_is_not_written_to() {
    let scene = Scene::new();
    let log = scene.open().unwrap();
    log.append(entry(1)).await.unwrap();
    fs::write(scene.path(), "").unwrap();
    assert!(log.append(entry(2)).await.is_err());
    assert!(log.append(entry(3)).await.is_err());
    assert_eq!(fs::read(scene.path()).unwrap(), b"");
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_said() {
    let (scene, head) = Scene::filled(2).await;
    let whole = scene.lines().concat();
    let last = scene.lines().pop().unwrap();
    for torn in [1, last.len() / 2, last.len() - 1] {
        fs::write(scene.path(), format!("{whole}{}", &last[..torn])).unwrap();
        assert_eq!(scene.verify(Some(head)), Ok(head));
        let log = scene.open().unwrap();
        assert_eq!(log.head().entries, 3);
        log.append(entry(3)).await.unwrap();
        assert_eq!(scene.verify(Some(head)), Ok(log.head()));
        assert!(scene.lines()[2].contains("audit.repair"));
    }
}

#[tokio::test]
async fn one_that_is_torn_meanwhile_by_another_is_repaired_too() {
    let scene = Scene::new();
    let log = scene.open().unwrap();
    log.append(entry(1)).await.unwrap();
    let mut other = fs::OpenOptions::new()
        .append(true)
        .open(scene.path())
        .unwrap();
    other.write_all(b"{\"seq\":2").unwrap();
    log.append(entry(2)).await.unwrap();
    assert_eq!(scene.verify(None), Ok(log.head()));
    assert_eq!(log.head().entries, 3);
}

#[test]
fn a_head_can_be_written_down() {
    let head = Head {
        entries: 7,
        hash: [9; 32],
    };
    assert_eq!(head.to_string().parse(), Ok(head));
    assert!("7".parse::<Head>().is_err());
    assert!("7:00".parse::<Head>().is_err());
}
