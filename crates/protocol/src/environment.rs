//! The environment variables of the tutorial's two tables, exactly as the official worker sets
//! them for a standard task (spec/pool-worker.md §2.11).

use alloy_primitives::Address;

use crate::{DealId, TaskId, deal::Deal};

/// Where the container finds its inputs.
pub const IN: &str = "/iexec_in";
/// Where the container leaves its outputs.
pub const OUT: &str = "/iexec_out";

/// What the variables are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The deal.
    pub deal: DealId,
    /// The task.
    pub task: TaskId,
    /// The task's index in the request order.
    pub index: u64,
    /// First index of the bag.
    pub bot_first: u64,
    /// Tasks in the bag.
    pub bot_size: u64,
    /// The dataset, or zero.
    pub dataset: Address,
    /// Names of the downloaded input files, in the order of the request.
    pub input_files: Vec<String>,
}

impl Inputs {
    /// The inputs of task `index` of `deal`.
    pub fn of(deal: &Deal, index: u64, input_files: Vec<String>) -> Self {
        Self {
            deal: deal.id,
            task: deal.id.task(index),
            index,
            bot_first: deal.bot_first,
            bot_size: deal.bot_size,
            dataset: deal.dataset.pointer,
            input_files,
        }
    }

    /// Name and value of each variable.
    pub fn variables(&self) -> Vec<(String, String)> {
        let dataset = self.dataset.to_checksum(None);
        let mut all = vec![
            ("IEXEC_DEAL_ID", self.deal.to_string()),
            ("IEXEC_TASK_INDEX", self.index.to_string()),
            ("IEXEC_TASK_ID", self.task.to_string()),
            ("IEXEC_IN", IN.to_owned()),
            ("IEXEC_OUT", OUT.to_owned()),
            ("IEXEC_BOT_SIZE", self.bot_size.to_string()),
            ("IEXEC_BOT_FIRST_INDEX", self.bot_first.to_string()),
            ("IEXEC_BOT_TASK_INDEX", self.index.to_string()),
            ("IEXEC_DATASET_ADDRESS", dataset.clone()),
            ("IEXEC_DATASET_FILENAME", dataset),
            (
                "IEXEC_INPUT_FILES_NUMBER",
                self.input_files.len().to_string(),
            ),
        ];
        if !self.input_files.is_empty() {
            all.push(("IEXEC_INPUT_FILES_FOLDER", IN.to_owned()));
        }
        let mut all: Vec<_> = all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        for (number, name) in (1..).zip(&self.input_files) {
            all.push((format!("IEXEC_INPUT_FILE_NAME_{number}"), name.clone()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(files: &[&str]) -> Inputs {
        Inputs {
            deal: DealId::repeat(1),
            task: TaskId::repeat(2),
            index: 7,
            bot_first: 5,
            bot_size: 3,
            dataset: Address::ZERO,
            input_files: files.iter().map(ToString::to_string).collect(),
        }
    }

    fn value(inputs: &Inputs, name: &str) -> Option<String> {
        inputs
            .variables()
            .into_iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v)
    }

    #[test]
    fn input_files_count_from_one() {
        let two = inputs(&["a.txt", "b.zip"]);
        assert_eq!(value(&two, "IEXEC_INPUT_FILES_NUMBER").unwrap(), "2");
        assert_eq!(value(&two, "IEXEC_INPUT_FILE_NAME_1").unwrap(), "a.txt");
        assert_eq!(value(&two, "IEXEC_INPUT_FILE_NAME_2").unwrap(), "b.zip");
        assert_eq!(value(&two, "IEXEC_BOT_TASK_INDEX").unwrap(), "7");
    }

    #[test]
    fn without_files_only_the_zero_count_is_set() {
        let none = inputs(&[]);
        assert_eq!(value(&none, "IEXEC_INPUT_FILES_NUMBER").unwrap(), "0");
        assert_eq!(value(&none, "IEXEC_INPUT_FILES_FOLDER"), None);
        assert_eq!(value(&none, "IEXEC_INPUT_FILE_NAME_1"), None);
    }
}
