//! Whole-network scenarios: what a requester sees, through the builder that `iexec up` uses.
//!
//! One binary for all of them: each extra one is a whole link.

mod bag;
mod bulk;
mod causes;
mod crash;
mod examples;
mod failure;
mod governance;
mod happy;
mod live;
mod official;
mod pools;
mod restart;
mod tee;
mod trust;

/// Each scenario as a test of its own, for one engine.
macro_rules! scenarios {
    ($engine:ident, $choice:ident: $($module:ident::$name:ident,)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = concat!(stringify!($engine), "::", stringify!($name));
                    let choice = engine::Choice::$choice;
                    iexec_tests::bench::play(test, choice, crate::$module::$name).await;
                }
            )*
        }
    };
}

macro_rules! both {
    ($($list:tt)*) => {
        scenarios!(docker, Docker: $($list)*);
        scenarios!(builtin, Builtin: $($list)*);
    };
}

scenarios!(library, Builtin:
    examples::publish_list_and_run,
    governance::dataset_orders_are_kept,
    governance::datasets_that_cannot_be_given,
);

scenarios!(idle, Builtin:
    bag::finalized_in_few_transactions,
    bag::finished_by_one_transaction,
    causes::orders_that_a_worker_refuses,
    causes::a_worker_that_may_not_contribute,
    causes::a_run_that_cannot_go_on,
    official::each_task_is_finalized_by_itself,
    official::worker_without_gas,
    pools::two_pools_share_the_slots_of_one_worker,
);

both! {
    happy::one_task,
    happy::whole_output_folder,
    bag::three_tasks,
    bag::two_deals_of_one_request,
    failure::no_computed_json,
    failure::output_that_is_not_there,
    failure::exit_code_1,
    failure::path_outside_of_the_output,
    failure::link_out_of_the_output,
    failure::sleeper_is_stopped_and_claimed,
    failure::input_file_404,
    failure::only_the_pinned_image_runs,
    failure::nobody_to_run_it,
    live::output_through_a_connection_that_breaks,
    live::output_of_a_worker_whose_connection_breaks,
    live::progress_is_told_and_leaves_no_trace,
    live::output_of_a_running_task,
    live::crash_has_one_reason,
    live::timeout_has_one_reason,
    live::too_much_memory_has_one_reason,
    live::missing_result_has_one_reason,
    live::missing_image_has_one_reason,
    official::one_paid_task,
    official::a_block_every_second,
    official::deal_made_while_the_pool_is_away,
    restart::stopped_while_it_computes,
    crash::victim,
    crash::killed_in_a_bag,
    trust::one_liar_at_trust_three,
    trust::one_liar_at_trust_five,
    trust::everybody_lies_differently,
    trust::one_never_reveals,
    trust::nobody_reveals_and_it_is_reopened,
    trust::trust_one_the_long_way,
    trust::callback_at_trust_three,
    trust::bag_with_failures_in_the_middle,
    trust::refunds_of_a_dead_bag,
    tee::from_its_secrets_to_an_encrypted_result,
    tee::stages_of_the_official_programs,
    tee::a_task_without_the_tag_has_no_secret,
    tee::callback_by_an_enclave,
    tee::dataset_without_its_key,
    tee::apps_that_fail_in_an_enclave,
    tee::a_worker_without_an_enclave_refuses,
    tee::killed_between_key_and_worker,
    tee::killed_with_its_enclave,
    bulk::a_task_for_each_two_datasets,
    bulk::one_order_that_does_not_allow_the_app,
}
